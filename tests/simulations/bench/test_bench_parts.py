from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from simulations.bench import aggregation_run
from simulations.bench.many_sites import PIXELS, multiplied
from simulations.bench.stopwatch import stopwatch
from simulations.synthesis.dataset import PHOTOGRAPHS, TABLE


def test_patients_are_multiplied_into_photographs_no_two_alike(synthetic: Path, tmp_path: Path) -> None:
    count = 3 * len(list((synthetic / PHOTOGRAPHS).iterdir()))
    folder = multiplied(synthetic, tmp_path / "many", count)
    table = pd.read_csv(folder / TABLE, dtype=str)
    assert table["patient_id"].nunique() == table["image_id"].nunique() == count
    files = sorted((folder / PHOTOGRAPHS).iterdir())
    assert len({path.read_bytes() for path in files}) == len(files) == count
    with Image.open(files[0]) as image:
        assert max(image.size) <= PIXELS


def test_a_coordinators_round_takes_every_packed_update(capsys: pytest.CaptureFixture[str]) -> None:
    aggregation_run.main(4, "tiny")
    found = json.loads(capsys.readouterr().out)
    assert found["sites"] == 4
    assert found["peak_bytes"] > 0


class Work:
    """Something to watch."""

    def outer(self) -> int:
        return 1 + self.inner()

    def inner(self) -> int:
        return 1


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that moves by one a look."""
    times = iter(range(100))
    monkeypatch.setattr("simulations.bench.stopwatch.time.perf_counter", lambda: float(next(times)))


def test_what_one_stage_calls_of_another_is_counted_once(ticks: None) -> None:
    watched = [(Work, "outer", "outer"), (Work, "inner", "inner")]
    with stopwatch(watched) as clock:
        assert Work().outer() == 2
        assert Work().inner() == 1
    assert clock == {"outer": 1.0, "inner": 1.0}
    assert Work().outer() == 2
