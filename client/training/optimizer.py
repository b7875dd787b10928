"""AdamW whose moments live through the rounds at the site.

A fresh Adam takes sign-like steps until its second moments settle; with twenty steps a round it would never leave
that phase. The moments stay at the site, as its local parameters do; nothing of them travels.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from shared_model.config import TrainingConfig
from shared_model.exchange.parameters import Arrays
from shared_model.losses import Objective

MOMENTS = ("exp_avg", "exp_avg_sq")
STEP = "step"


def make_optimizer(
    objective: Objective,
    config: TrainingConfig,
    learning_rate: float,
    moments: Mapping[str, NDArray[np.float32]] | None = None,
) -> torch.optim.AdamW:
    """AdamW over all trainable parameters, going on from `moments` (what moments_of gave) if there are any."""
    named = _trainable(objective)
    optimizer = torch.optim.AdamW(
        named.values(), lr=learning_rate, weight_decay=config.weight_decay, fused=True
    )
    if moments:
        for name, parameter in named.items():
            optimizer.state[parameter] = {
                STEP: torch.tensor(float(moments[STEP][0])),
                **{kind: torch.from_numpy(moments[f"{kind}.{name}"].copy()) for kind in MOMENTS},
            }
    return optimizer


def moments_of(objective: Objective, optimizer: torch.optim.AdamW) -> Arrays:
    """Both moments of every parameter that has been stepped, and the number of steps; zeros where it has not."""
    arrays: Arrays = {}
    steps = 0.0
    for name, parameter in _trainable(objective).items():
        state = optimizer.state.get(parameter, {})
        steps = max(steps, float(state.get(STEP, 0.0)))
        for kind in MOMENTS:
            moment = state.get(kind, torch.zeros_like(parameter))
            arrays[f"{kind}.{name}"] = moment.detach().cpu().numpy().astype(np.float32)
    arrays[STEP] = np.array([steps], dtype=np.float32)
    return arrays


def _trainable(objective: Objective) -> dict[str, torch.nn.Parameter]:
    return {name: parameter for name, parameter in objective.named_parameters() if parameter.requires_grad}
