from __future__ import annotations

import pytest

from simulations.bench.reading import reading_speed


def test_the_benchmark_measures_both_in_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulations.bench.reading.DRAWN", 3)
    result = reading_speed(photographs=12, size=96, processes=1, repeats=2)
    assert result["photographs"] == 12
    assert len(result["runs"]) == 2
    assert all(run["decoding_seconds"] > 0 and run["measuring_seconds"] > 0 for run in result["runs"])
    assert result["ratio"] > 0
