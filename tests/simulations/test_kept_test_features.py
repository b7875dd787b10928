"""What a run is tested on goes through its frozen blocks once, and its figures stay what they were."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from client.cache.feature_file import names_in
from client.cache.trunk_cache import FOLDER
from client.data.dataset import SiteDataset
from client.inference.predict import predict
from client.worker.resident import resident_model
from client.worker.simulated import forget_workers, open_worker
from server.store import RunFolder
from shared_model.config import Config
from shared_model.exchange import Payload, shared_tensors, write_tensors
from shared_model.metrics.predictions import INPUTS, Predictions
from shared_model.model.image_encoder import ImageEncoder
from shared_model.model.text_encoder import TextEncoder
from shared_model.records import TASKS
from shared_model.statistics import Standardisation
from simulations import inference
from simulations.baselines import POOLED, baseline_folder, baselines, train_baseline
from simulations.prepare import Prepared
from tests.client.cache.conftest import DRAWS, FROZEN

ERROR = 2e-4  # of a probability; the features themselves are within 3e-4
Told = dict[str, Predictions]


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Photographs and notes that went through a trunk."""
    found = {"image": 0, "text": 0}

    def count(encoder: type[Any], kind: str) -> None:
        original = encoder.trunk

        def trunk(self: Any, given: torch.Tensor, *further: Any) -> Any:
            found[kind] += len(given)
            return original(self, given, *further)

        monkeypatch.setattr(encoder, "trunk", trunk)

    count(ImageEncoder, "image")
    count(TextEncoder, "text")
    return found


@pytest.fixture
def trained(
    workspace: Callable[..., tuple[Path, Prepared]],
    small_config: Callable[..., Config],
    standardisation: Standardisation,
    tmp_path: Path,
) -> Callable[..., tuple[Config, Path, Prepared, RunFolder]]:
    """A run folder whose last and best weights differ, beside its workspace."""

    def make(*overrides: str) -> tuple[Config, Path, Prepared, RunFolder]:
        config = small_config(*FROZEN, *overrides)
        root, prepared = workspace(config)
        folder = RunFolder(tmp_path / "run")
        last = shared_tensors(resident_model(config).objective)
        folder.save_weights("last", last)
        folder.save_weights("best", {name: 0.9 * array for name, array in last.items()})
        folder.save_json("standardisation.json", standardisation.to_dict())
        return config, root, prepared, folder

    return make


def told(config: Config, root: Path, prepared: Prepared, folder: RunFolder) -> Told:
    return inference.test_predictions(config, folder, prepared.table, prepared.images, {}, root)


def by_hand(config: Config, prepared: Prepared, folder: RunFolder) -> Told:
    """As without any cache."""
    resident = resident_model(config)
    standardisation = Standardisation.from_dict(folder.load_json("standardisation.json"))
    tested = prepared.table[prepared.table["split"] == "test"]
    dataset = SiteDataset(tested, prepared.images, resident.tokenizer, standardisation)
    rows, size = np.arange(len(dataset)), config.evaluation.batch_size
    found = {}
    for name in inference.WEIGHTS:
        write_tensors(resident.objective, folder.load_weights(name))
        found[name] = predict(resident.objective.model, dataset, rows, {}, mask_notes=True, batch_size=size)
    return found


def furthest(one: Told, other: Told) -> float:
    return max(
        float(
            np.nanmax(np.abs(one[name].probabilities[task][given] - other[name].probabilities[task][given]))
        )
        for name in one
        for task in TASKS
        for given in INPUTS
    )


def pooled_of(config: Config, root: Path, prepared: Prepared) -> tuple[Told, RunFolder]:
    """The baseline of all data, trained, and its folder."""
    (pooled,) = [one for one in baselines(config, prepared.sites) if one.label == POOLED]
    return train_baseline(pooled, root, {}), RunFolder(baseline_folder(root, POOLED))


def test_a_model_sends_every_photograph_and_note_through_its_trunks_once_whatever_its_weights(
    trained: Callable[..., Any], runs: dict[str, int]
) -> None:
    config, root, prepared, _ = trained(DRAWS)
    splits = prepared.table["split"].value_counts()
    first, folder = pooled_of(config, root, prepared)
    to_measure = 1
    once = 3 * splits["train"] + splits["validation"] + splits["test"] + to_measure
    notes = pd.concat([prepared.table["note"], prepared.table["masked_note"]]).fillna("").nunique()
    assert runs == {"image": once, "text": notes}
    again = told(config, root, prepared, folder)  # as another model of this scale does
    folder.save_weights("best", {name: 0.9 * array for name, array in folder.load_weights("last").items()})
    other = told(config, root, prepared, folder)
    assert runs == {"image": once, "text": notes}
    assert furthest(first, again) == 0
    assert furthest(first, other) > 0


def test_figures_through_the_cache_are_those_without_it_within_the_stated_error(
    trained: Callable[..., Any],
) -> None:
    config, root, prepared, _ = trained(DRAWS)
    kept, folder = pooled_of(config, root, prepared)
    plain = by_hand(config, prepared, folder)
    assert 0 < furthest(kept, plain) < ERROR
    for name in inference.WEIGHTS:
        assert kept[name].record.tolist() == plain[name].record.tolist()
    assert {name.split("-")[0] for name in names_in(root / FOLDER)} == {"image", "text"}


@pytest.mark.parametrize(
    "off",
    [
        ("cache.text=false", "cache.image_draws=0"),
        (DRAWS, "cache.maximum_gb=0"),
        (DRAWS, "runtime.plain=true"),
        ("cache.text=false", DRAWS, "model.image.frozen_blocks=0"),
    ],
    ids=["switched off", "no room", "plain", "nothing frozen"],
)
def test_where_the_cache_is_off_everything_is_as_before_to_the_last_bit(
    trained: Callable[..., Any], off: tuple[str, ...]
) -> None:
    config, root, prepared, folder = trained(*off)
    assert furthest(told(config, root, prepared, folder), by_hand(config, prepared, folder)) == 0
    assert not (root / FOLDER).exists()


def test_a_site_that_keeps_features_says_of_its_records_what_the_simulation_does_to_the_last_bit(
    trained: Callable[..., Any],
) -> None:
    config, root, prepared, folder = trained(DRAWS, "data.minimum_cell=0")
    site, patients = next(iter(prepared.sites.items()))
    worker = open_worker(root, site)
    fields = {"round": 1, "learning_rate": 1e-3, "standardisation": folder.load_json("standardisation.json")}
    answer = worker.predictions(Payload(folder.load_weights("last"), fields), "test")
    assert not isinstance(answer, Payload)
    own = prepared.table[prepared.table["patient_id"].isin(set(patients))]
    simulated = inference.test_predictions(config, folder, own, prepared.images, {}, root)["last"]
    assert answer[0].record.tolist() == simulated.record.tolist()
    assert furthest({"last": answer[0]}, {"last": simulated}) == 0
    exact = by_hand(config, replace(prepared, table=own), folder)["last"]
    assert furthest({"last": exact}, {"last": simulated}) > 0
    forget_workers()
