"""AdamW whose moments live through the rounds at the site.

A fresh Adam takes sign-like steps until its second moments settle; with twenty steps a round it would never leave
that phase. The moments stay at the site, as its local parameters do; nothing of them travels.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from shared_model.config import TrainingConfig
from shared_model.exchange.parameters import Arrays
from shared_model.losses import Objective

MOMENTS = ("exp_avg", "exp_avg_sq")
STEP = "step"
LOSS_WEIGHTS = "weighting."


def make_optimizer(
    objective: Objective,
    config: TrainingConfig,
    learning_rate: float,
    moments: Mapping[str, NDArray[np.float32]] | None = None,
    without: Collection[str] = (),
    *,
    fused: bool = True,
) -> torch.optim.AdamW:
    """AdamW over all trainable parameters but those named in `without`, going on from `moments` (what moments_of
    gave) if there are any. fused: as one operation over all parameters, the same formula.
    Learned loss weights have a rate of their own (losses.weight_rate).
    """
    named = {name: p for name, p in _trainable(objective).items() if name not in without}
    weights = [p for name, p in named.items() if name.startswith(LOSS_WEIGHTS)]
    groups: list[dict[str, Any]] = [
        {"params": [p for n, p in named.items() if not n.startswith(LOSS_WEIGHTS)]}
    ]
    if weights:
        groups.append({"params": weights, "lr": learning_rate * objective.config.weight_rate})
    optimizer = torch.optim.AdamW(groups, lr=learning_rate, weight_decay=config.weight_decay, fused=fused)
    for name, parameter in named.items():
        if moments and f"{STEP}.{name}" in moments:
            optimizer.state[parameter] = {
                STEP: torch.tensor(float(moments[f"{STEP}.{name}"]), device=parameter.device),
                **{
                    kind: torch.from_numpy(moments[f"{kind}.{name}"].copy()).to(parameter.device)
                    for kind in MOMENTS
                },
            }
    return optimizer


def moments_of(objective: Objective, optimizer: torch.optim.AdamW) -> Arrays:
    """Both moments and the number of steps of every parameter that has been stepped."""
    arrays: Arrays = {}
    for name, parameter in _trainable(objective).items():
        state = optimizer.state.get(parameter, {})
        for kind in (STEP, *MOMENTS) if state else ():
            arrays[f"{kind}.{name}"] = state[kind].detach().cpu().numpy().astype(np.float32)
    return arrays


def _trainable(objective: Objective) -> dict[str, torch.nn.Parameter]:
    return {name: parameter for name, parameter in objective.named_parameters() if parameter.requires_grad}
