"""`fedfundus-simulate transfer`: a centre that is left out is trained on by nobody."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from client.worker import Worker
from shared_model.exchange import Payload
from tests.simulations.conftest import Outcome

Command = Callable[..., Outcome]
KAPPA, OURS = "quadratic_weighted_kappa", "federated without it"
SITES = ["ipiranga", "moema", "paulista"]
QUICK = ("--rounds", 1, "--set", "runtime.jobs=1", "--set", "training.local_steps=1")


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, frozenset[str]]]:
    """For each call to train: the site, and the patients that its table holds."""
    seen: list[tuple[str, frozenset[str]]] = []
    train = Worker.train

    def watched(self: Worker, request: Payload) -> Payload:
        seen.append((self.site, frozenset(self._table["patient_id"])))
        return train(self, request)

    monkeypatch.setattr(Worker, "train", watched)
    return seen


def paired(entry: dict[str, Any]) -> None:
    """Differences are those of the figures beside them, all inputs and the photograph alone."""
    for given, names in entry["differences"].items():
        assert list(names) == ["federated with it", "its own model"]
        for name, found in names.items():
            kappas = [entry[which]["icdr"]["by_input"][given][KAPPA] for which in (OURS, name)]
            assert found["difference"] == pytest.approx(kappas[0] - kappas[1])
            assert found["n"] == entry[OURS]["icdr"]["n"]
            assert found["interval"] is None or len(found["interval"]) == 2


def test_a_centre_left_out_has_no_part_and_is_tested_on(
    command: Command,
    synthetic: Path,
    tmp_path: Path,
    small: list[str],
    trained: list[tuple[str, frozenset[str]]],
) -> None:
    out = tmp_path / "out"
    asked = ("transfer", "--data", synthetic, "--leave-out", "moema", "--out", out, "--json", *small, *QUICK)
    shown = command(*asked)
    assert shown.code == 0, shown.err
    document: dict[str, Any] = json.loads(shown.out)
    with_it, without_it = [site for site, _ in trained[:3]], [site for site, _ in trained[-2:]]
    assert with_it == SITES
    assert without_it == ["ipiranga", "paulista"]
    held = dict(trained[:3])["moema"]
    assert not any(held & patients for _, patients in trained[-2:])
    (entry,) = document["left_out"]
    ours = entry[OURS]
    assert entry["site"] == "moema"
    assert (
        ours["icdr"]["n"]
        == entry["its own model"]["icdr"]["n"]
        == entry["federated with it"]["icdr"]["n"]
        > 0
    )
    paired(entry)
    assert "minus its own model" in (out / "transfer.md").read_text()
    matrix = document["matrix"]["all"]
    assert matrix["columns"] == [*SITES, "all"]
    assert list(matrix["rows"]) == ["federated", "pooled", *(f"local:{site}" for site in SITES), "majority"]
    assert document["second"] is None
    assert "not available (no second data set" in (out / "transfer.md").read_text()
    calls = len(trained)
    kept = {path.name for path in (out / "work").iterdir()}
    assert len(kept) == 6  # a folder a model, and no photographs
    assert command(*asked, "--second", synthetic).code == 0
    assert len(trained) == calls
    assert json.loads((out / "transfer.json").read_text())["second"]["records"] == 114
    assert {path.name for path in (out / "work").iterdir()} == kept


def test_the_matrix_of_a_plain_run_needs_no_further_training(
    command: Command, synthetic: Path, tmp_path: Path, small: list[str]
) -> None:
    shown = command("run", "--data", synthetic, "--out", tmp_path / "out", *small, *QUICK)
    assert shown.code == 0, shown.err
    assert "each model on each site" in shown.out


@pytest.mark.parametrize(
    ("name", "said"), [("leblon", "no site 'leblon' to leave out"), ("each", "one site only (moema)")]
)
def test_what_cannot_be_left_out_is_named(
    name: str, said: str, command: Command, synthetic: Path, tmp_path: Path, small: list[str]
) -> None:
    data = synthetic
    if name == "each":
        data = tmp_path / "data"
        shutil.copytree(synthetic, data)
        centers = pd.read_csv(data / "centers.csv")
        centers.assign(center="moema").to_csv(data / "centers.csv", index=False)
    shown = command(
        "transfer", "--data", data, "--leave-out", name, "--out", tmp_path / "out", *small, *QUICK
    )
    assert shown.code == 2
    assert said in shown.err
