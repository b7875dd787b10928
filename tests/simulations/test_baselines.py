from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import client.worker.worker as worker_module
from client.worker.simulated import TABLE
from server.store import RunFolder
from shared_model.config import Config
from simulations.baselines import (
    POOLED,
    POOLED_EQUAL_STEPS,
    Baseline,
    baseline_folder,
    baselines,
    train_baseline,
)
from simulations.prepare import Prepared

MakeWorkspace = Callable[..., tuple[Path, Prepared]]


def test_budgets_are_equal_visits_and_equal_steps(small_config: Callable[..., Config]) -> None:
    config = small_config("training.local_steps=7", "federation.strategy=fedadam", "federation.quorum=3")
    sites = {"a": ["1", "2"], "b": ["3"], "c": ["4"]}
    planned = {b.label: b for b in baselines(config, sites)}
    steps = {label: b.config.training.local_steps for label, b in planned.items()}
    assert steps == {POOLED: 21, "local:a": 7, "local:b": 7, "local:c": 7, POOLED_EQUAL_STEPS: 7}
    assert planned["local:a"].patients == ("1", "2")
    assert (
        sorted(planned[POOLED].patients)
        == sorted(planned[POOLED_EQUAL_STEPS].patients)
        == ["1", "2", "3", "4"]
    )
    for baseline in planned.values():
        federation = baseline.config.federation
        assert (federation.strategy, federation.quorum, federation.rounds) == ("fedavg", 1, 2)
        assert baseline.config.model == config.model


@pytest.fixture
def trained(
    workspace: MakeWorkspace, small_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, Prepared, dict[str, Any], dict[str, set[str]], dict[str, int]]:
    """Every baseline of a small run, the patients each trained on, and its steps."""
    config = small_config()
    root, prepared = workspace(config)
    seen: dict[str, set[str]] = {}
    steps: dict[str, int] = {}
    original = worker_module.train

    def train(objective: Any, dataset: Any, rows: Any, training: Any, *, site: str, **named: Any) -> Any:
        seen.setdefault(site, set()).update(dataset.table["patient_id"].iloc[rows])
        steps[site] = steps.get(site, 0) + training.local_steps
        return original(objective, dataset, rows, training, site=site, **named)

    monkeypatch.setattr(worker_module, "train", train)
    site_of = {p: site for site, patients in prepared.sites.items() for p in patients}
    found = {b.label: train_baseline(b, root, site_of) for b in baselines(config, prepared.sites)}
    return root, prepared, found, seen, steps


def test_a_baseline_trains_on_its_own_patients_and_is_tested_on_everyones(
    trained: tuple[Path, Prepared, dict[str, Any], dict[str, set[str]], dict[str, int]],
) -> None:
    root, prepared, found, seen, steps = trained
    table = prepared.table
    training = set(table.loc[table["split"] == "train", "patient_id"])
    for site, patients in prepared.sites.items():
        assert seen[f"local:{site}"] == training & set(patients)
    assert seen[POOLED] == seen[POOLED_EQUAL_STEPS] == training
    assert steps == {POOLED: 8, POOLED_EQUAL_STEPS: 4, "local:site-1": 4, "local:site-2": 4}
    tested = table[table["split"] == "test"]
    for predictions in found.values():
        for weights in ("last", "best"):
            assert predictions[weights].record.tolist() == tested["record_id"].tolist()
            assert set(predictions[weights].site) <= set(prepared.sites)
    for label in found:
        rows = RunFolder(baseline_folder(root, label)).history()
        assert [(row["model"], row["round"]) for row in rows] == [(label, n) for n in range(3)]


def test_baselines_are_models_of_their_own(
    trained: tuple[Path, Prepared, dict[str, Any], dict[str, set[str]], dict[str, int]],
) -> None:
    root, prepared, found, _, _ = trained
    last = [p["last"].probabilities["icdr"]["all"] for p in found.values()]
    for i, a in enumerate(last):
        assert all(not np.allclose(a, b) for b in last[:i])
    # A local model's standardisation is its own: it has seen nobody else's patients.
    scales = [
        RunFolder(baseline_folder(root, f"local:{s}")).load_json("standardisation.json")
        for s in prepared.sites
    ]
    assert scales[0] != scales[1]


def test_a_baseline_repeated_elsewhere_predicts_the_same(
    workspace: MakeWorkspace, small_config: Callable[..., Config]
) -> None:
    config = small_config()
    found = []
    for name in ("one", "two"):
        root, prepared = workspace(config, name)
        assert (root / TABLE).exists()
        patients = tuple(prepared.sites["site-1"])
        found.append(train_baseline(Baseline("local:site-1", patients, config), root, {}))
    for weights in ("last", "best"):
        a, b = (f[weights].probabilities["icdr"]["all"] for f in found)
        assert np.array_equal(a, b)
