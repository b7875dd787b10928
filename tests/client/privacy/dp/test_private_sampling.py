"""Whom a step draws: every patient by a coin of their own, whoever else is there, and with all their records."""

from __future__ import annotations

import os
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from client.privacy.dp import randomness as module
from client.privacy.dp.randomness import OperatingSystem, Seeded, randomness_of
from client.privacy.dp.sampling import drawn, patients_of, units
from shared_model.errors import ConfigError

SITE = [f"p{index}" for index in range(50)]


@pytest.mark.parametrize("source", [OperatingSystem(), Seeded(3, "site")])
def test_each_patient_is_drawn_at_the_rate(source: module.Randomness) -> None:
    count = sum(len(drawn(SITE, 0.3, step, source)) for step in range(200))
    assert abs(count - 3000) < 5 * np.sqrt(10_000 * 0.3 * 0.7)
    assert drawn(SITE, 1.0, 0, source) == SITE


def test_a_patient_who_comes_changes_nobody_elses_draw() -> None:
    source = Seeded(3, "site")
    for step in range(20):
        before, after = drawn(SITE, 0.5, step, source), drawn([*SITE, "new"], 0.5, step, source)
        assert [patient for patient in after if patient != "new"] == before


def test_draws_of_two_steps_two_sites_and_two_patients_differ() -> None:
    draws = {
        tuple(Seeded(3, site).draws("sampling", step, SITE).tolist())
        for site in ("a", "b")
        for step in (0, 1)
    }
    assert len(draws) == 4
    assert all(len(set(row)) == len(SITE) for row in draws)


def test_a_patient_is_one_unit_whatever_the_number_of_their_photographs(kit: SimpleNamespace) -> None:
    table = pd.DataFrame({"patient_id": ["a", "b", "a", "a", "a", "c"]})
    records = patients_of(table, np.array([0, 1, 2, 3, 4]))
    assert {name: rows.tolist() for name, rows in records.items()} == {"a": [0, 2, 3, 4], "b": [1]}
    found = units(records, kit.plan("prototypes", rate=1.0, records=3), 0, Seeded(0, "site"))
    assert [len(unit.rows) for unit in found] == [3, 1]
    assert set(found[0].rows) < {0, 2, 3, 4}


def test_groups_hold_every_patient_drawn_once_and_never_number_more(kit: SimpleNamespace) -> None:
    table = pd.DataFrame({"patient_id": SITE})
    records = patients_of(table, np.arange(len(SITE)))
    seen = set()
    for step in range(10):
        found = units(records, kit.plan("groups", rate=1.0, groups=4), step, OperatingSystem())
        assert len(found) <= 4
        assert sorted(row for unit in found for row in unit.rows) == list(range(len(SITE)))
        seen.add(tuple(tuple(unit.rows) for unit in found))
    assert len(seen) == 10


def test_a_step_on_nobody_has_no_units(kit: SimpleNamespace) -> None:
    for mode in ("prototypes", "groups"):
        assert units({}, kit.plan(mode), 0, OperatingSystem()) == []


def test_noise_of_the_operating_system_is_standard_normal_and_never_the_same() -> None:
    numbers = OperatingSystem().normal(0, 0, 200_001)
    assert len(numbers) == 200_001
    assert numbers.dtype == torch.float64
    assert abs(float(numbers.mean())) < 0.012
    assert abs(float(numbers.std()) - 1) < 0.01
    for bound, share in ((1.0, 0.8413), (2.0, 0.9772), (3.0, 0.99865)):
        assert abs(float((numbers < bound).double().mean()) - share) < 0.004
    assert not torch.equal(numbers, OperatingSystem().normal(0, 0, 200_001))


def test_nothing_received_and_no_seed_of_the_process_reaches_the_draws(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []

    def urandom(count: int) -> bytes:
        asked.append(count)
        return bytes(count)

    source = OperatingSystem()
    torch.manual_seed(0)
    np.random.seed(0)
    first = source.normal(1, 2, 10), source.draws("sampling", 1, SITE)
    torch.manual_seed(0)
    np.random.seed(0)
    second = source.normal(1, 2, 10), source.draws("sampling", 1, SITE)
    assert not torch.equal(first[0], second[0])
    assert not np.array_equal(first[1], second[1])
    monkeypatch.setattr(os, "urandom", urandom)
    source.normal(1, 2, 10)
    assert (source.draws("sampling", 1, SITE) == 0).all()  # it is the only source
    assert asked == [80, 400]


def test_the_seeded_mode_is_refused_at_a_site_with_patients(private_config: object) -> None:
    config = private_config()  # type: ignore[operator]
    assert config.privacy.seeded
    with pytest.raises(ConfigError, match="protects nobody") as caught:
        randomness_of(config, "site")
    assert caught.value.where == "privacy.seeded"
    assert not randomness_of(config, "site", simulation=True).private
    plain = config.model_copy(update={"privacy": config.privacy.model_copy(update={"seeded": False})})
    assert randomness_of(plain, "site").private
    assert randomness_of(plain, "site", simulation=True).private
