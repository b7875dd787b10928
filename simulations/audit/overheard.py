"""The noised sums themselves, read out of a site's optimiser: more than a coordinator sees, and all that is promised.

AdamW takes the size out of a gradient, so that its steps tell less than what it was given. The guarantee is of what it
was given: everything after the noise is post-processing. So planted patients are looked for there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from client.privacy.dp.rounds import PrivateRounds
from client.training.loop import TrainingResult
from client.training.optimizer import MOMENTS
from shared_model.config import Config
from shared_model.exchange.parameters import Arrays
from simulations.audit.membership import still

DECAY = 0.9  # of AdamW's first moment, torch's default, which the client's optimiser keeps


class OverheardRounds(PrivateRounds):
    """Private rounds that tell `on_moments` what the optimiser holds after each."""

    on_moments: Callable[[Arrays], None]

    def train(self, *arguments: Any, **named: Any) -> TrainingResult:
        """As PrivateRounds.train."""
        result = super().train(*arguments, **named)
        self.on_moments(result.moments)
        return result


def bared(config: Config, rounds: int) -> Config:
    """A private run of `rounds` rounds of one step each, in which a patient's gradient is what the attacker computes:
    no augmentation, no modality dropout. None of it is part of what is promised.
    """
    plain = still(config)
    training = plain.training.model_copy(update={"local_steps": 1})
    federation = plain.federation.model_copy(update={"rounds": rounds})
    return plain.model_copy(update={"training": training, "federation": federation})


def first_moments(moments: Arrays, names: list[str]) -> NDArray[np.float64]:
    """AdamW's first moments (P,) of these parameters, one after the other."""
    return np.concatenate([moments[f"{MOMENTS[0]}.{name}"].ravel() for name in names]).astype(np.float64)


def given(moments: NDArray[np.float64], before: NDArray[np.float64]) -> NDArray[np.float64]:
    """The one gradient (P,) that took AdamW's first moments from `before` to `moments`."""
    gradient: NDArray[np.float64] = (moments - DECAY * before) / (1 - DECAY)
    return gradient
