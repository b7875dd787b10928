from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from server.schedule import Schedule, best_of
from shared_model.config import TrainingConfig

LOSS = st.floats(0.1, 2.0)
LOSSES = st.lists(LOSS | st.sampled_from([1.0, 0.9999, 0.99991, 0.5]), min_size=1, max_size=40)


@settings(max_examples=150, deadline=None)
@given(LOSSES, st.integers(0, 6), st.floats(0.1, 0.9))
def test_plateau_is_torchs_reduce_lr_on_plateau(losses: list[float], patience: int, factor: float) -> None:
    config = TrainingConfig(learning_rate=0.5, plateau_patience=patience, plateau_factor=factor)
    schedule = Schedule(config, rounds=100)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    reference = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=patience, factor=factor, eps=0)
    for number, loss in enumerate(losses, start=1):
        assert schedule.learning_rate(number) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)
        schedule.observe(loss)
        reference.step(loss)
    assert schedule.learning_rate(len(losses) + 1) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)


@settings(max_examples=100, deadline=None)
@given(LOSSES, st.integers(1, 8))
def test_early_stopping_waits_for_its_patience(losses: list[float], patience: int) -> None:
    schedule = Schedule(TrainingConfig(early_stopping=patience), rounds=100)
    best, since = math.inf, 0
    for loss in losses:
        schedule.observe(loss)
        best, since = (loss, 0) if loss < best * (1 - 1e-4) else (best, since + 1)
        assert schedule.finished == (since >= patience)


def test_early_stopping_can_be_off() -> None:
    schedule = Schedule(TrainingConfig(early_stopping=0), rounds=100)
    for _ in range(50):
        schedule.observe(1.0)
    assert not schedule.finished


def test_a_round_without_labels_changes_nothing() -> None:
    schedule = Schedule(TrainingConfig(plateau_patience=0, early_stopping=1), rounds=9)
    for _ in range(5):
        schedule.observe(None)
    assert not schedule.finished
    assert schedule.learning_rate(6) == 1e-4


def test_warmup_rises_in_equal_steps_to_the_full_rate() -> None:
    schedule = Schedule(TrainingConfig(learning_rate=1.0, warmup_rounds=3, schedule="constant"), rounds=10)
    assert [schedule.learning_rate(n) for n in range(1, 7)] == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1])


def test_cosine_falls_from_the_full_rate_towards_nothing() -> None:
    schedule = Schedule(TrainingConfig(learning_rate=1.0, warmup_rounds=1, schedule="cosine"), rounds=11)
    rates = [schedule.learning_rate(n) for n in range(2, 12)]
    assert rates[0] == 1.0
    assert rates[5] == pytest.approx(0.01 + 0.99 / 2)
    assert all(a > b for a, b in zip(rates, rates[1:], strict=False))
    assert 0.01 < rates[-1] < 0.05


def test_only_the_plateau_schedule_reduces() -> None:
    for name in ("cosine", "constant"):
        schedule = Schedule(TrainingConfig(schedule=name, plateau_patience=0), rounds=9)
        before = schedule.learning_rate(5)
        for _ in range(4):
            schedule.observe(1.0)
        assert schedule.learning_rate(5) == before


@given(st.lists(LOSS | st.none() | st.sampled_from([0.5, 0.49996, 0.4999]), min_size=1, max_size=12))
def test_the_best_model_of_a_history_is_the_one_that_a_run_keeps(losses: list[float | None]) -> None:
    schedule, kept = Schedule(TrainingConfig(), rounds=100), -1
    for number, loss in enumerate(losses):
        before = schedule.best
        schedule.observe(loss)
        if schedule.best < before or (loss is None and math.isinf(before)):  # as server.rounds keeps it
            kept = number
    assert best_of(losses) == kept
