"""The benchmark of a private step: the same records for both, and a goal that is of the full size alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from simulations.bench import privacy
from simulations.bench.registry import names
from simulations.bench.setting import Setting


def test_a_private_step_is_held_against_a_plain_one_of_the_same_patients(
    synthetic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Setting, "drawn", lambda self, patients: synthetic)
    monkeypatch.setattr(Setting, "repeats", 1)
    found = privacy.measure(Setting(full=False, folder=tmp_path))
    (slowdown, alone) = found.figures
    assert (slowdown.name, slowdown.goal, slowdown.better, slowdown.reached) == (
        "privacy.step_slowdown",
        1.25,
        "lower",
        None,  # the goal is of the full-size model
    )
    assert dataclasses.replace(slowdown, runs=(1.2,), applies=True).reached
    assert set(slowdown.details["seconds"]) == {"plain", "private", "alone"}
    assert all(value > 0 for figure in (slowdown, alone) for value in figure.runs)
    assert len(found.profile) == 3
    assert any("clip, round and add up" in line for lines in found.profile.values() for line in lines)


def test_it_is_among_the_benchmarks() -> None:
    assert "privacy" in names()
