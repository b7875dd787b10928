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
from client.training.batches import batches
from client.training.machine import PLAIN, Machine
from client.training.optimizer import make_optimizer, moments_of
from client.training.untrained import untrained
from shared_model.config import TrainingConfig
from shared_model.errors import RunError
from shared_model.exchange.parameters import Arrays
from shared_model.losses import Objective
from shared_model.randomness import torch_seed


@dataclass(frozen=True)
class TrainingResult:
    """Means over the steps of one round; `losses` holds those that occurred; `moments` the optimiser's; `untrained`
    the parameters that the site's records cannot train, which are as they came. steps: how many were taken, where a
    privacy limit may have left fewer than were asked for.
    """

    loss: float
    losses: dict[str, float]
    weights: dict[str, float]
    moments: Arrays
    untrained: frozenset[str]
    steps: int | None = None


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
    machine: Machine = PLAIN,
) -> TrainingResult:
    """`config.local_steps` steps from the objective's present weights; `moments` are the optimiser's own.

    Everything random follows from (seed, site, step). machine: where the objective is, and in which precision it
    computes. Raises RunError when the loss stops being a number.
    """
    objective.train()
    idle = untrained(objective, dataset, rows)
    trained = [p for name, p in objective.named_parameters() if p.requires_grad and name not in idle]
    anchors = [parameter.detach().clone() for parameter in trained] if config.proximal else []
    optimizer = make_optimizer(objective, config, learning_rate, moments, idle, fused=not machine.plain)
    scaler = machine.scaler()
    totals: dict[str, float] = defaultdict(float)
    seen: dict[str, int] = defaultdict(int)
    steps = range(first_step, first_step + config.local_steps)
    devices = range(torch.cuda.device_count()) if machine.device == "cuda" else []
    with torch.random.fork_rng(devices=devices), machine.in_full():
        torch.manual_seed(torch_seed(seed, site, "dropout", first_step))
        for step, parts in batches(dataset, rows, config, steps, site=site, seed=seed, device=machine.device):
            optimizer.zero_grad(set_to_none=True)
            for batch, keep in parts:
                with machine.autocast():
                    loss, losses = objective(batch, keep)
                whole = loss + _proximal(trained, anchors, config.proximal)
                scaler.scale(whole / len(parts)).backward()
                for name, value in {"total": loss, **losses}.items():
                    totals[name] += float(value.detach())
                    seen[name] += 1
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(trained, config.gradient_norm)
            scaler.step(optimizer)
            scaler.update()
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


def _proximal(trained: list[torch.nn.Parameter], anchors: list[Tensor], mu: float) -> Tensor | float:
    """FedProx (Li et al. 2020): mu/2 times the squared distance to the round's base."""
    if not anchors:
        return 0.0
    return mu / 2 * torch.stack([(p - a).square().sum() for p, a in zip(trained, anchors, strict=True)]).sum()
