"""Cross-validation: every record is tested once, by a model that never saw its patient."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from client.worker import Worker
from shared_model.exchange import Payload
from tests.shared_model.test_report import Page
from tests.simulations.conftest import Outcome

Command = Callable[..., Outcome]
FOLDS = 3


@pytest.fixture
def trained_on(monkeypatch: pytest.MonkeyPatch) -> list[tuple[set[str], set[str]]]:
    """For each call to train: the patients whose records it used, and those left for testing at that site."""
    seen: list[tuple[set[str], set[str]]] = []
    train = Worker.train

    def watched(self: Worker, request: Payload) -> Payload:
        table = self._table
        sides = [set(table.loc[table["split"] == side, "patient_id"]) for side in ("train", "test")]
        seen.append((sides[0], sides[1]))
        return train(self, request)

    monkeypatch.setattr(Worker, "train", watched)
    return seen


def test_no_model_is_trained_on_a_patient_it_is_tested_on(
    command: Command,
    synthetic: Path,
    tmp_path: Path,
    small: list[str],
    trained_on: list[tuple[set[str], set[str]]],
) -> None:
    out = tmp_path / "out"
    sets = ["--set", "training.local_steps=1", "--partition", "iid", "--sites", 2, "--rounds", 1]
    page = tmp_path / "eval.html"
    where = ["--folds", FOLDS, "--out", out, "--report", page, "--json"]
    shown = command("crossvalidate", "--data", synthetic, *where, *small, *sets)
    assert shown.code == 0, shown.err
    assert len(trained_on) == FOLDS * 2
    tested: list[set[str]] = []
    for fold in range(FOLDS):
        calls = trained_on[2 * fold : 2 * fold + 2]
        train = set.union(*(call[0] for call in calls))
        test = set.union(*(call[1] for call in calls))
        assert train
        assert not train & test
        tested.append(test)
    assert sum(len(fold) for fold in tested) == len(set.union(*tested))  # each patient once

    document = json.loads(shown.out)
    figures = document["models"]["federated"]["all"]
    usable = len(pd.read_csv(synthetic / "labels_brset.csv")) - len(pd.read_csv(out / "quarantine.csv"))
    assert figures["icdr"]["n"] == usable
    # No gallery holds the vectors of several models.
    assert figures["retrieval"]["unimodal"]["text_to_image"]["recall_at_1"] is None
    # The guard ran on every fold's model; eight validation photographs a fold are too few for a temperature.
    assert document["guard"]["passed"] is True
    assert document["verdict"]["ok"] is True
    assert document["trust"]["icdr"]["fitted"] is False
    assert any("not fitted: fewer than 20" in warning for warning in document["verdict"]["warnings"])
    assert document["pooled"]["icdr"]["all"]["confusion"] == figures["icdr"]["confusion"]
    assert any("split.csv is not used" in notice for notice in document["run"]["notices"])
    assert {path.name for path in out.iterdir()} == {"metrics.json", "config.toml", "quarantine.csv"}
    text = Page(page.read_text("utf-8")).text
    assert f"cross-validated, {FOLDS} folds" in text
    assert "Searches: not available (each fold’s model has vectors of its own" in text
    assert "Hardest errors" in text
    assert "data:image/jpeg" in page.read_text("utf-8")
