"""What takes minutes: the paper preset at full size, and the real photographs from folder to report."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from simulations.synthesis.dataset import synthesize
from tests.simulations.conftest import SMALL

IDRID = Path(__file__).parents[2].parent / "shared" / "data" / "idrid"
GIB = 2**20  # kibibytes, the unit of ru_maxrss
needs_idrid = pytest.mark.skipif(
    not IDRID.is_dir(), reason=f"the IDRiD photographs are not at {IDRID.parent.name}/{IDRID.name}"
)


def simulate(*arguments: object) -> None:
    shown = subprocess.run(
        [sys.executable, "-c", "from simulations.cli import main; main()", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr


@pytest.mark.slow
def test_the_paper_preset_runs_a_real_round_of_two_sites_within_16_gib(tmp_path: Path) -> None:
    synthesize(tmp_path / "data", patients=16, seed=5, processes=1)
    out = tmp_path / "out"
    simulate(
        "run", "--data", tmp_path / "data", "--preset", "paper", "--partition", "iid", "--sites", 2, "--rounds", 1,
        "--out", out, "--set", "training.local_steps=1", "--set", "evaluation.comparison=false",
        "--set", "evaluation.resamples=50",
    )  # fmt: skip
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 16 * GIB
    run = json.loads((out / "metrics.json").read_text())["run"]
    assert 215e6 < run["parameters"]["total"] < 216e6
    assert 50e6 < run["parameters"]["trainable"] < 51e6
    shared = run["parameters"]["shared"]  # of two sites: int8 up, bf16 down
    assert run["bytes_per_round"]["up"] == pytest.approx(2 * shared, rel=0.01)
    assert run["bytes_per_round"]["down"] == pytest.approx(2 * 2 * shared, rel=0.01)
    assert any("random weights" in notice for notice in run["notices"])


@needs_idrid
@pytest.mark.slow
def test_the_real_photographs_run_to_their_report(tmp_path: Path) -> None:
    out = tmp_path / "out"
    sets = [part for item in SMALL.split() for part in ("--set", item)]
    simulate(
        "run", "--data", IDRID, "--partition", "dirichlet", "--sites", 3, "--rounds", 1, "--out", out, *sets
    )
    group = json.loads((out / "metrics.json").read_text())["models"]["federated"]["all"]
    assert group["icdr"]["n"] > 30
    assert group["icdr"]["quadratic_weighted_kappa"] is not None
    assert group["sdrg"]["n"] == 0
    assert group["sdrg"]["quadratic_weighted_kappa"] is None
    assert group["icdr"]["by_input"]["structured"]["n"] == 0  # IDRiD has no structured value
    assert "not available" in (out / "report.html").read_text()
    assert len(pd.read_csv(out / "quarantine.csv")) == 0


@needs_idrid
@pytest.mark.slow
def test_cross_validation_tests_every_real_photograph_once(tmp_path: Path) -> None:
    out = tmp_path / "out"
    sets = [part for item in SMALL.split() for part in ("--set", item)]
    simulate("crossvalidate", "--data", IDRID, "--folds", 3, "--rounds", 1, "--out", out, *sets)
    models = json.loads((out / "metrics.json").read_text())["models"]
    assert models["federated"]["all"]["icdr"]["n"] == 516
    # Folds differ in their commonest training grade, so pooled majority answers are not quite constant.
    assert abs(models["majority"]["all"]["icdr"]["quadratic_weighted_kappa"]) < 0.05
