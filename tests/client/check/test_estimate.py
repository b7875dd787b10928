from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from client.check import estimate as estimation
from client.check.estimate import Estimate, document, estimate, findings
from client.site.config import load_site
from client.site.state import SiteState

MEASURED = {"steps": 3, "step_seconds": 0.5, "grading_seconds": 0.01, "peak_bytes": 2e9}


@pytest.fixture
def state(tmp_path: Path) -> SiteState:
    return SiteState.open(tmp_path / "state", tmp_path / "key")


def test_a_round_is_its_steps_and_its_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimation, "_trial", lambda preset, threads, free: dict(MEASURED))
    made = estimate("tiny", 100, None)
    assert made.round_seconds == pytest.approx(12 * 0.5 + 100 * 0.01)
    said = " ".join(made.sentences())
    assert "Measured: 3 training steps of" in said
    assert "Extrapolated: 12 steps and 100 validation photographs" in said
    assert document(made)["round_seconds"] == made.round_seconds


def test_a_machine_is_timed_once(state: SiteState, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def trial(preset: str, threads: int, free: float) -> dict[str, float]:
        calls.append(preset)
        return dict(MEASURED)

    monkeypatch.setattr(estimation, "_trial", trial)
    first, second = estimate("tiny", 10, state), estimate("tiny", 10, state)
    assert calls == ["tiny"]
    assert first.step_seconds == second.step_seconds


def test_a_machine_without_the_memory_is_told_so(monkeypatch: pytest.MonkeyPatch, state: SiteState) -> None:
    monkeypatch.setattr(estimation, "free_memory", lambda: 50e6)
    made = estimate("tiny", 10, state)
    assert "needs more memory" in made.problem
    (finding,) = findings(made)
    assert (finding.kind, finding.level) == ("memory_short", "warning")
    assert state.read(estimation.ESTIMATE) is None  # another time there may be more


def test_free_memory_that_suffices_is_no_finding() -> None:
    made = Estimate("tiny", 1, 16, 12, 10, free_bytes=4e9, steps=3, step_seconds=1.0, peak_bytes=2e9)
    assert findings(made) == []
    assert findings(Estimate("tiny", 1, 16, 12, 10, free_bytes=2.2e9, peak_bytes=2e9)) != []


def test_a_site_is_timed_with_the_threads_of_its_own_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "site.toml"
    file.write_text('[site]\nname = "a"\n[data]\nfolder = "data"\n[resources]\nthreads = 3\n')
    used: list[int] = []
    monkeypatch.setattr(
        estimation, "_trial", lambda preset, threads, free: used.append(threads) or dict(MEASURED)
    )
    made = estimate("tiny", 10, None, site=load_site(file))
    assert (used, made.threads) == ([3], 3)
    assert "with 3 threads" in " ".join(made.sentences())


@pytest.mark.slow
def test_the_trial_times_real_steps() -> None:
    made = estimate("tiny", 10, None)
    assert made.problem == ""
    assert made.step_seconds > 0
    assert 2e8 < made.peak_bytes < 8e9


def test_the_trial_is_a_module_that_runs_alone() -> None:
    code = (
        "import client.check.trial as t; from shared_model.config import load_config; "
        "print(t.noise(load_config('tiny'), 2).image.shape)"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "torch.Size([2, 3, 128, 128])" in printed.stdout
