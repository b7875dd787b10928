"""Steps are made of batches that follow from (seed, site, step), and of as many as accumulation asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from client.data.dataset import SiteDataset
from client.training.batches import batches
from client.training.loop import train
from client.training.machine import Machine
from shared_model.config import Config
from shared_model.losses import Objective

MakeObjective = Callable[..., Objective]
SmallConfig = Callable[..., Config]
CALM = ("training.modality_dropout=0.0", "model.fusion.dropout=0.0")


def drawn(dataset: SiteDataset, config: Config, device: str) -> list[Any]:
    rows = dataset.rows_of("train")
    return list(batches(dataset, rows, config.training, range(3, 7), site="a", seed=5, device=device))


def test_steps_prepared_ahead_are_the_steps(dataset: SiteDataset, small_config: SmallConfig) -> None:
    """Any device but the processor has its batches prepared in a thread; "meta" holds shapes and no numbers."""
    config = small_config()
    here, ahead = drawn(dataset, config, "cpu"), drawn(dataset, config, "meta")
    assert [step for step, _ in here] == [step for step, _ in ahead] == [3, 4, 5, 6]
    for (_, one), (_, other) in zip(here, ahead, strict=True):
        assert one[0][0].image.shape == other[0][0].image.shape
        assert other[0][0].image.device.type == other[0][0].note.ids.device.type == "meta"
        assert other[0][0].labels["icdr"].device.type == "meta"


def test_two_accumulated_batches_are_the_rows_of_one_twice_as_large(
    dataset: SiteDataset, small_config: SmallConfig
) -> None:
    one = drawn(dataset, small_config("training.batch_size=8"), "cpu")
    two = drawn(dataset, small_config("training.batch_size=4", "training.accumulation=2"), "cpu")
    for (_, whole), (_, halves) in zip(one, two, strict=True):
        assert len(halves) == 2
        assert torch.equal(whole[0][0].structured, torch.cat([batch.structured for batch, _ in halves]))


def test_accumulated_gradients_of_grading_are_those_of_the_whole_batch(
    dataset: SiteDataset, small_config: SmallConfig, small_objective: MakeObjective
) -> None:
    """Grading couples no two records; what accumulation changes are contrastive negatives alone."""
    off = tuple(
        f"losses.fixed.{name}=0.0"
        for name in (
            "image_text",
            "image_structured",
            "text_structured",
            "image_reconstruction",
            "text_reconstruction",
        )
    )
    still = (
        "training.augmentation.flips=false",
        "training.augmentation.rotation_degrees=0",
        "training.augmentation.brightness=0",
        "training.augmentation.contrast=0",
        "training.local_steps=1",
    )
    found = []
    for changes in (
        ("training.batch_size=8",),
        ("training.batch_size=4", "training.accumulation=2"),
    ):
        settings = ("losses.weighting=fixed", *off, *still, *CALM, *changes)
        config, objective = small_config(*settings), small_objective(*settings)
        for module in objective.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        rows = dataset.rows_of("train")
        full = rows[[bool((dataset.labels["icdr"][r] >= 0) & (dataset.labels["sdrg"][r] >= 0)) for r in rows]]
        found.append(
            train(
                objective, dataset, full, config.training, site="a", seed=0, first_step=0, learning_rate=1e-3
            ).moments
        )
    # After one step Adam's first moment is a tenth of the gradient.
    gradients = [name for name in found[0] if name.startswith("exp_avg.")]
    assert gradients
    assert all(np.allclose(found[0][n], found[1][n], rtol=1e-3, atol=1e-6) for n in gradients)


def test_bf16_follows_the_losses_of_fp32(
    dataset: SiteDataset, small_config: SmallConfig, small_objective: MakeObjective
) -> None:
    """Fifty steps: each loss within 5 % of fp32's, or 0.05, whatever the processor gains by it."""
    settings = ("training.local_steps=1", *CALM)
    config = small_config(*settings)
    curves = []
    for precision in ("fp32", "bf16"):
        objective, moments, losses = small_objective(*settings), None, []
        for step in range(50):
            result = train(
                objective,
                dataset,
                dataset.rows_of("train"),
                config.training,
                site="a",
                seed=0,
                first_step=step,
                learning_rate=1e-3,
                moments=moments,
                machine=Machine("cpu", precision, 1),  # type: ignore[arg-type]
            )
            moments = result.moments
            losses.append(result.loss)
        curves.append(np.array(losses))
    assert np.allclose(curves[1], curves[0], rtol=0.05, atol=0.05)
    assert curves[0][-10:].mean() < curves[0][:10].mean()
    assert not np.array_equal(*curves)
