"""`fedfundus-simulate run` and `evaluate`, as a researcher calls them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from shared_model.metrics import INPUTS
from tests.simulations.conftest import SMALL, Outcome

Command = Callable[..., Outcome]
SITES = ("ipiranga", "moema", "paulista")
FILES = {
    "report.html",
    "metrics.json",
    "history.jsonl",
    "statistics.json",
    "config.toml",
    "partition.json",
    "quarantine.csv",
    "model",
}


@pytest.fixture(scope="session")
def finished(synthetic: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One whole run over three centres, in a process of its own as at a terminal."""
    import subprocess
    import sys

    out = tmp_path_factory.mktemp("runs") / "run"
    sets = [part for item in SMALL.split() for part in ("--set", item)]
    arguments = ["run", "--data", str(synthetic), "--rounds", "2", "--out", str(out), "--json", *sets]
    shown = subprocess.run(
        [sys.executable, "-c", "from simulations.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    document = json.loads(shown.stdout)  # the document, and nothing else, on standard output
    assert document == json.loads((out / "metrics.json").read_text())
    assert "Traceback" not in shown.stderr
    return out


def test_a_run_leaves_every_promised_file_and_nothing_of_its_workspace(finished: Path) -> None:
    assert {path.name for path in finished.iterdir()} == FILES
    assert not list(finished.parent.glob(".*"))


def test_metrics_json_keeps_its_contract(finished: Path) -> None:
    document = json.loads((finished / "metrics.json").read_text())
    models = document["models"]
    assert set(models) == {
        "federated", "pooled", "pooled_equal_steps", "majority", *(f"local:{site}" for site in SITES)
    }  # fmt: skip
    for model in models.values():
        assert set(model) == {"all", *SITES}
        for group in model.values():
            for task in ("icdr", "sdrg"):
                figures = group[task]
                wanted = {
                    "n",
                    "accuracy",
                    "quadratic_weighted_kappa",
                    "macro_f1",
                    "recall_per_grade",
                    "intervals",
                }
                assert wanted <= set(figures)
                assert set(figures["by_input"]) == set(INPUTS)
                assert all(wanted <= set(given) for given in figures["by_input"].values())
            for protocol in ("unimodal", "paired"):
                found = group["retrieval"][protocol]["text_to_image"]
                assert {
                    "recall_at_1", "recall_at_5", "recall_at_10", "ceiling_at_1", "chance_at_1", "n", "unique_notes"
                } <= set(found)  # fmt: skip
    assert models["federated"]["all"]["icdr"]["n"] == sum(models["federated"][s]["icdr"]["n"] for s in SITES)
    assert set(document["best_validation"]["models"]) == set(models)


def test_a_run_says_how_far_its_model_can_be_trusted(finished: Path) -> None:
    document = json.loads((finished / "metrics.json").read_text())
    assert document["guard"]["passed"] is True
    assert document["verdict"]["errors"] == []
    calibration = json.loads((finished / "model" / "calibration.json").read_text())
    for task in ("icdr", "sdrg"):
        # Of fewer than 20 validation photographs no temperature is fitted, and that is said.
        assert document["trust"][task]["temperature"] == calibration["temperature"].get(task, 1.0) > 0
        assert document["trust"][task]["fitted"] is (calibration["examples"][task] >= 20)
        unfitted = any(
            f"{task.upper()} (not fitted: fewer than 20" in said for said in document["verdict"]["warnings"]
        )
        assert unfitted is (calibration["examples"][task] < 20)
        assert set(document["subgroups"][task]) == {"sex", "age", "camera", "eye", "centre"}
    pooled = document["pooled"]
    assert set(pooled["sites"]) == set(SITES)
    whole = document["models"]["federated"]["all"]["icdr"]
    assert pooled["icdr"]["all"]["confusion"] == whole["confusion"]
    assert pooled["icdr"]["all"]["quadratic_weighted_kappa"] == pytest.approx(
        whole["quadratic_weighted_kappa"]
    )


def test_history_holds_every_round_of_every_model(finished: Path) -> None:
    rows = [json.loads(line) for line in (finished / "history.jsonl").read_text().splitlines()]
    rounds: dict[str, list[int]] = {}
    for row in rows:
        rounds.setdefault(row["model"], []).append(row["round"])
    assert set(rounds.values().__iter__().__next__()) == {0, 1, 2}
    assert all(numbers == [0, 1, 2] for numbers in rounds.values())
    federated = [row for row in rows if row["model"] == "federated"]
    assert set(federated[1]["sites"]) == set(SITES)
    assert federated[1]["bytes_up"] > 0
    assert federated[2]["validation"]["loss"] is not None


def test_equal_budgets_are_equal(finished: Path) -> None:
    """The pooled model takes S x E steps a round, so that both see as many samples; traffic tells the rest."""
    document = json.loads((finished / "metrics.json").read_text())
    assert document["run"]["local_steps"] == 2
    assert document["run"]["rounds"] == 2
    text = (finished / "config.toml").read_text()
    assert "early_stopping = 0" in text


def test_no_local_tensor_is_handed_out(finished: Path) -> None:
    from safetensors import safe_open

    with safe_open(finished / "model" / "model.safetensors", "numpy") as tensors:
        names = set(tensors.keys())
    kinds = json.loads((finished / "model" / "parameters.json").read_text())["kinds"]
    assert names == {name for name, kind in kinds.items() if kind != "local"}
    assert any(name.startswith("model.image_decoder") for name, kind in kinds.items() if kind == "local")


def test_evaluate_reproduces_the_runs_own_figures(finished: Path, synthetic: Path, command: Command) -> None:
    shown = command("evaluate", "--model", finished / "model", "--data", synthetic, "--json")
    assert shown.code == 0, shown.err
    again = json.loads(shown.out)["models"]["federated"]["all"]
    before = json.loads((finished / "metrics.json").read_text())["models"]["federated"]["all"]
    assert again["icdr"] == before["icdr"]
    ours, theirs = json.loads(shown.out), json.loads((finished / "metrics.json").read_text())
    for part in ("trust", "subgroups", "pooled", "guard", "verdict"):
        assert ours[part] == theirs[part]
    assert again["retrieval"]["unimodal"] == before["retrieval"]["unimodal"]


def test_a_finished_run_is_not_overwritten(finished: Path, synthetic: Path, command: Command) -> None:
    before = (finished / "metrics.json").read_bytes()
    shown = command("run", "--data", synthetic, "--out", finished)
    assert shown.code == 3
    assert "holds a finished run" in shown.err
    assert "--out" in shown.err
    assert (finished / "metrics.json").read_bytes() == before


def test_the_report_is_one_file_that_asks_for_nothing(finished: Path) -> None:
    page = (finished / "report.html").read_text()
    assert "Research use" in page
    assert 'src="http' not in page
    assert "NaN" not in page
