"""How six losses become one: the paper's softmax, Kendall's uncertainty, or fixed weights.

Softmax weights are kept because the paper has them; descent moves them to whichever loss is smallest
(dL/dalpha_i = w_i (L_i - sum_j w_j L_j)), so watch them in the report or give them a floor.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn

from shared_model.config.schema import LOSS_NAMES, LossConfig


class LossWeighting(nn.Module):
    """`forward`: named scalar losses (absent ones left out) to their weighted sum."""

    def __init__(self, config: LossConfig) -> None:
        super().__init__()
        self.kind = config.weighting
        self.floor = config.floor
        self.fixed = {name: float(getattr(config.fixed, name)) for name in LOSS_NAMES}
        if self.kind != "fixed":
            self.alpha = nn.Parameter(torch.zeros(len(LOSS_NAMES)))

    def weights(self, present: Collection[str] = LOSS_NAMES) -> dict[str, Tensor]:
        """The weight of each loss of `present`, differentiable.

        Softmax weights are shared out among these alone: weight put on a loss that is absent would cost nothing, and
        descent would move it all there.
        """
        index = [position for position, name in enumerate(LOSS_NAMES) if name in present]
        names = [LOSS_NAMES[position] for position in index]
        if self.kind == "fixed":
            return {name: torch.tensor(self.fixed[name]) for name in names}
        if self.kind == "softmax":
            share = 1 - len(index) * self.floor
            return dict(zip(names, torch.softmax(self.alpha[index], dim=0) * share + self.floor, strict=True))
        precision = torch.exp(-self.alpha[index])  # alpha is the log variance of Kendall et al. 2018
        return dict(zip(names, precision, strict=True))

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The scalar to descend."""
        weights = self.weights(losses)
        total = torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()
        if self.kind == "uncertainty":
            used = [index for index, name in enumerate(LOSS_NAMES) if name in losses]
            total = total + self.alpha[used].sum() / 2
        return total
