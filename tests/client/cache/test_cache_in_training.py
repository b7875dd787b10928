"""A cache changes what is learnt by no more than the rounding to half precision, given the same draws."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from client.cache.feature_file import FeatureFile, names_in
from client.cache.trunk_cache import FOLDER, Reading
from client.data.dataset import SiteDataset
from client.training.augmentation import Augmentation
from client.training.loop import train
from client.training.validation import validate
from client.worker.simulated import ROOT_VARIABLE, forget_workers, open_worker, simulated_worker
from shared_model.config import Config
from shared_model.config.schema import AugmentationConfig
from shared_model.exchange import Payload, shared_tensors
from shared_model.losses import Objective
from shared_model.model import build_model
from shared_model.randomness import torch_generator
from tests.client.cache.conftest import DRAWS, objective_of

MakeReading = Callable[..., Reading]
MakeDataset = Callable[..., SiteDataset]
PLAIN = ("cache.maximum_gb=0",)  # the same draws, nothing kept

LOSS_TOLERANCE = 5e-4  # relative, of every loss
GRADIENT_TOLERANCE = 2e-3  # relative, of the whole gradient in norm


def gradient(objective: Objective, dataset: SiteDataset) -> tuple[dict[str, float], torch.Tensor]:
    objective.train()
    augmentation = Augmentation(AugmentationConfig(), torch_generator(0, "step"))
    batch = dataset.batch(dataset.rows_of("train")[:8], augmentation)
    torch.manual_seed(3)
    loss, losses = objective(batch)
    objective.zero_grad()
    loss.backward()
    found = [p.grad.flatten() for p in objective.parameters() if p.grad is not None]
    return {name: float(value) for name, value in losses.items()}, torch.cat(found)


def test_losses_and_gradients_are_those_without_a_cache(reading: MakeReading, cached: MakeDataset) -> None:
    with_cache, without = reading(DRAWS), reading(DRAWS, *PLAIN)
    losses, own = gradient(objective_of(with_cache), cached(with_cache))
    expected, other = gradient(objective_of(without), cached(without))
    assert set(losses) == set(expected)
    assert len(losses) == 6
    for name, value in losses.items():
        assert value == pytest.approx(expected[name], rel=LOSS_TOLERANCE), name
    assert float((own - other).norm() / other.norm()) < GRADIENT_TOLERANCE


def test_the_rebuilt_photograph_is_the_augmented_one(reading: MakeReading, cached: MakeDataset) -> None:
    found = reading(DRAWS)
    dataset = cached(found)
    batch = dataset.batch(
        dataset.rows_of("train"), Augmentation(AugmentationConfig(), torch_generator(0, "step"))
    )
    assert found.model.image_encoder is not None
    assert batch.image_trunk is not None
    again = found.model.image_encoder.trunk(batch.image)
    assert torch.allclose(batch.image_trunk, again, rtol=2**-10, atol=1e-4)


def test_twenty_steps_and_a_validation_end_where_they_end_without_a_cache(
    reading: MakeReading, cached: MakeDataset
) -> None:
    ends = []
    for overrides in ((), PLAIN):
        found = reading(DRAWS, "training.local_steps=20", "training.batch_size=6", *overrides)
        objective, dataset = objective_of(found), cached(found)
        rows = dataset.rows_of("train")
        result = train(
            objective,
            dataset,
            rows,
            found.config.training,
            site="a",
            seed=0,
            first_step=0,
            learning_rate=1e-3,
        )
        ends.append((result.loss, validate(objective, dataset, rows, 8).loss_sum))
    for one, other in zip(*ends, strict=True):
        assert one == pytest.approx(other, rel=1e-3)


def request_of(config: Config, standardisation: dict[str, Any], number: int = 1) -> Payload:
    fresh = Objective(build_model(config.model, seed=config.seed), config.losses)
    fields = {"round": number, "learning_rate": 1e-3, "standardisation": standardisation}
    return Payload(shared_tensors(fresh), fields)


def test_simulated_sites_share_one_cache_that_is_built_by_the_first(
    workspace: Callable[..., Any],
    frozen_config: Callable[..., Config],
    standardisation: Any,
    monkeypatch: pytest.MonkeyPatch,
    counted: list[str],
) -> None:
    config = frozen_config(DRAWS, "training.local_steps=1")
    root, prepared = workspace(config)
    monkeypatch.setenv(ROOT_VARIABLE, str(root))
    request = request_of(config, standardisation.to_dict())
    try:
        first = simulated_worker(0).train(request)
        built = len(counted)
        table = prepared.table
        wanted = 3 * (table["split"] == "train").sum() + (table["split"] == "validation").sum()
        assert counted.count("image") == wanted + 1
        simulated_worker(1).train(request)
        assert len(counted) == built
        assert [name.split("-")[0] for name in names_in(root / FOLDER)] == ["image", "text"]
        forget_workers()
        again = open_worker(root, next(iter(json.loads((root / "sites.json").read_text())))).train(request)
        assert len(counted) == built  # as another process would
        assert all(np.array_equal(first.arrays[name], again.arrays[name]) for name in first.arrays)
    finally:
        forget_workers()


def test_a_damaged_cache_gives_the_same_weights(
    workspace: Callable[..., Any], frozen_config: Callable[..., Config], standardisation: Any
) -> None:
    config = frozen_config(DRAWS, "training.local_steps=2")
    request = request_of(config, standardisation.to_dict())
    answers = []
    for damaged in (False, True):
        root, prepared = workspace(config, f"work-{damaged}")
        site = next(iter(prepared.sites))
        try:
            open_worker(root, site).evaluate(request)
            if damaged:
                for path in (root / FOLDER).glob("[!.]*.features"):  # not the lock
                    damage(path)
            forget_workers()
            answers.append(open_worker(root, site).train(request).arrays)
        finally:
            forget_workers()
    assert all(np.array_equal(answers[0][name], answers[1][name]) for name in answers[0])


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[:: max(1, len(content) // 200)] = b"\xff" * len(content[:: max(1, len(content) // 200)])
    path.write_bytes(content)
    assert len(FeatureFile(path.parent, path.stem)) > 0
