"""Optimiser steps at a site: AdamW as in the source paper, with an optional FedProx term."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from client.data.dataset import SiteDataset
from client.training.augmentation import Augmentation
from client.training.optimizer import make_optimizer, moments_of
from client.training.sampling import modality_dropout, step_rows
from client.training.untrained import untrained
from shared_model.config import TrainingConfig
from shared_model.errors import RunError
from shared_model.exchange.parameters import Arrays
from shared_model.losses import Objective
from shared_model.randomness import torch_generator, torch_seed


@dataclass(frozen=True)
class TrainingResult:
    """Means over the steps of one round; `losses` holds those that occurred; `moments` the optimiser's; `untrained`
    the parameters that the site's records cannot train, which are as they came.
    """

    loss: float
    losses: dict[str, float]
    weights: dict[str, float]
    moments: Arrays
    untrained: frozenset[str]


def train(
    objective: Objective,
    dataset: SiteDataset,
    rows: NDArray[np.int64],
    config: TrainingConfig,
    *,
    site: str,
    seed: int,
    first_step: int,
    learning_rate: float,
    moments: Arrays | None = None,
) -> TrainingResult:
    """`config.local_steps` steps from the objective's present weights; `moments` are the optimiser's own.

    Everything random follows from (seed, site, step). Raises RunError when the loss stops being a number.
    """
    objective.train()
    idle = untrained(objective, dataset, rows)
    trained = [p for name, p in objective.named_parameters() if p.requires_grad and name not in idle]
    anchors = [parameter.detach().clone() for parameter in trained] if config.proximal else []
    optimizer = make_optimizer(objective, config, learning_rate, moments, idle)
    totals: dict[str, float] = defaultdict(float)
    seen: dict[str, int] = defaultdict(int)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed(seed, site, "dropout", first_step))
        for step in range(first_step, first_step + config.local_steps):
            loss, losses = _loss(objective, dataset, rows, config, site, seed, step)
            optimizer.zero_grad(set_to_none=True)
            (loss + _proximal(trained, anchors, config.proximal)).backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(trained, config.gradient_norm)
            optimizer.step()
            for name, value in {"total": loss, **losses}.items():
                totals[name] += float(value.detach())
                seen[name] += 1
            if not math.isfinite(totals["total"]):
                raise _diverged(site, step)
    means = {name: totals[name] / seen[name] for name in totals}
    weights = {name: float(weight.detach()) for name, weight in objective.weighting.weights(seen).items()}
    return TrainingResult(means.pop("total"), means, weights, moments_of(objective, optimizer), idle)


def _diverged(site: str, step: int) -> RunError:
    return RunError(
        "training diverged: the loss is no longer a number",
        where=f"site {site}, step {step}",
        fix="lower training.learning_rate",
    )


def _loss(
    objective: Objective,
    dataset: SiteDataset,
    rows: NDArray[np.int64],
    config: TrainingConfig,
    site: str,
    seed: int,
    step: int,
) -> tuple[Tensor, dict[str, Tensor]]:
    chosen = step_rows(rows, config.batch_size, step, seed, site)
    augmentation = Augmentation(config.augmentation, torch_generator(seed, site, "augmentation", step))
    batch = dataset.batch(chosen, augmentation)
    keep = modality_dropout(batch.present, config.modality_dropout, step, seed, site)
    result: tuple[Tensor, dict[str, Tensor]] = objective(batch, keep)
    return result


def _proximal(trained: list[torch.nn.Parameter], anchors: list[Tensor], mu: float) -> Tensor | float:
    """FedProx (Li et al. 2020): mu/2 times the squared distance to the round's base."""
    if not anchors:
        return 0.0
    return mu / 2 * torch.stack([(p - a).square().sum() for p, a in zip(trained, anchors, strict=True)]).sum()
