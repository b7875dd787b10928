from __future__ import annotations

from collections import Counter

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from client.training.sampling import modality_dropout, step_rows
from shared_model.records import MODALITIES


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 23), st.integers(1, 30), st.integers(0, 50), st.integers(0, 2**40))
def test_every_row_is_visited_once_an_epoch(n: int, batch_size: int, start: int, seed: int) -> None:
    rows = np.arange(n) * 3 + 100
    steps = -(-2 * n // batch_size) + 1
    visits = np.concatenate([step_rows(rows, batch_size, start + s, seed, "a") for s in range(steps)])
    skipped = -(start * batch_size) % n  # up to the next epoch's first visit
    for epoch in range((len(visits) - skipped) // n):
        part = visits[skipped + epoch * n : skipped + (epoch + 1) * n]
        assert sorted(part) == sorted(rows)
    counts = Counter(visits.tolist())
    assert max(counts.values()) - min(counts.get(row, 0) for row in rows.tolist()) <= 2
    assert all(len(step_rows(rows, batch_size, start + s, seed, "a")) == batch_size for s in range(steps))


def test_a_step_depends_on_seed_site_and_step_alone() -> None:
    rows = np.arange(40)
    first = step_rows(rows, 8, 3, 0, "a")
    step_rows(rows, 8, 0, 5, "b")
    np.random.default_rng().random()
    torch.manual_seed(9)
    assert np.array_equal(first, step_rows(rows, 8, 3, 0, "a"))
    for other in (
        step_rows(rows, 8, 4, 0, "a"),
        step_rows(rows, 8, 3, 1, "a"),
        step_rows(rows, 8, 3, 0, "b"),
    ):
        assert not np.array_equal(first, other)


def test_epochs_are_shuffled_anew() -> None:
    rows = np.arange(16)
    assert not np.array_equal(step_rows(rows, 16, 0, 0, "a"), step_rows(rows, 16, 1, 0, "a"))


PRESENCE = st.lists(st.tuples(*[st.booleans()] * 3).filter(any), min_size=1, max_size=12)


@settings(max_examples=150, deadline=None)
@given(PRESENCE, st.floats(0, 1), st.integers(0, 1000), st.integers(0, 1000))
def test_modality_dropout_leaves_every_sample_something(
    presence: list[tuple[bool, bool, bool]], probability: float, step: int, seed: int
) -> None:
    present = {name: torch.tensor([row[i] for row in presence]) for i, name in enumerate(MODALITIES)}
    keep = modality_dropout(present, probability, step, seed, "a")
    left = torch.stack([present[name] & keep[name] for name in MODALITIES])
    assert bool(left.any(dim=0).all())
    again = modality_dropout(present, probability, step, seed, "a")
    assert all(torch.equal(keep[name], again[name]) for name in MODALITIES)


def test_modality_dropout_drops_as_often_as_it_is_told() -> None:
    present = {name: torch.ones(4000, dtype=torch.bool) for name in MODALITIES}
    for probability in (0.0, 0.1, 0.3):
        keep = modality_dropout(present, probability, 0, 0, "a")
        dropped = [1 - float(keep[name].float().mean()) for name in MODALITIES]
        assert all(abs(d - probability) < 0.03 for d in dropped)
    certain = torch.stack(list(modality_dropout(present, 1.0, 0, 0, "a").values()))
    assert bool((certain.sum(dim=0) == 1).all())
    assert bool(certain.any(dim=1).all())  # not always the same one
