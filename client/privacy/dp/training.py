"""A round of private training at a site: units drawn, each backward pass clipped, their sum noised, a step.

Beside the weights it gives nothing of the patients: no loss, no gradient norm, no count but the registered ones, no
list of parameters that its records could not train, since each would need noise of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from client.data.dataset import SiteDataset
from client.privacy.dp.bank import Bank
from client.privacy.dp.plan import Plan
from client.privacy.dp.prototypes import PatientObjective
from client.privacy.dp.randomness import Randomness
from client.privacy.dp.refusals import Unmoved, require_all_in_step
from client.privacy.dp.sampling import Unit, patients_of, units
from client.privacy.dp.slots import Records, Slots, passes
from client.privacy.dp.step import PrivateOptimizer
from client.privacy.dp.together import Together, slots_of, why_not
from client.training.augmentation import Augmentation, Augmentations
from client.training.optimizer import make_optimizer, moments_of
from client.training.sampling import kept_modalities, modality_draws
from shared_model.config import Config, TrainingConfig
from shared_model.exchange.parameters import Arrays
from shared_model.losses import Objective
from shared_model.private_training import require_private
from shared_model.randomness import torch_generator, torch_seed

log = logging.getLogger(__name__)

READ = 16  # patients whose records are read at once: few calls, and no more memory than the allocator keeps
_ALONE: dict[Any, bool] = {}  # what `Together.alone` found


@dataclass(frozen=True)
class PrivateResult:
    """moments: the optimiser's, made of noised gradients alone. steps: taken, a constant. private: False where a
    seed took the operating system's place.
    """

    moments: Arrays
    steps: int
    private: bool


class PrivateTraining:
    """The private steps of one round; `step` takes one."""

    def __init__(
        self,
        objective: Objective,
        dataset: SiteDataset,
        rows: NDArray[np.int64],
        config: Config,
        plan: Plan,
        randomness: Randomness,
        bank: Bank,
        *,
        learning_rate: float,
        moments: Arrays | None = None,
        one_at_a_time: bool = False,
    ) -> None:
        """rows: the training records. one_at_a_time: even where patients could be taken together, which gives the same
        but for rounding. Raises ConfigError for what `refusals` and `private_training` do not let pass.
        """
        require_private(config, objective)
        self.objective = objective
        self._dataset = dataset
        self._training: TrainingConfig = config.training
        self._plan = plan
        self._randomness = randomness
        self._records = patients_of(dataset.table, rows)
        self._loss = PatientObjective(objective, bank) if plan.mode == "prototypes" else objective
        inner = make_optimizer(objective, config.training, learning_rate, moments)
        require_all_in_step(objective, inner)
        self.optimizer = PrivateOptimizer(inner, plan, randomness)
        objective.train()
        self._together: Together | None = None
        if not one_at_a_time and not why_not(objective, plan):
            self._together = Together(objective, self.optimizer.params, slots_of(plan))

    def step(self, number: int) -> None:
        """Step `number` of the run: sample, clip, add up, add noise, optimise."""
        self.objective.train()
        if isinstance(self._loss, PatientObjective):
            self._loss.start_step()
        drawn = units(self._records, self._plan, number, self._randomness)
        if self._together is None or not self._many_at_a_time(self._together, drawn):
            self._one_at_a_time(drawn)
        self.optimizer.release(number)

    @property
    def takes_together(self) -> bool:
        """Whether patients are taken many at a time."""
        return self._together is not None

    def moments(self) -> Arrays:
        """Of the optimiser, for the next round."""
        return moments_of(self.objective, self.optimizer.original_optimizer)

    def _one_at_a_time(self, drawn: Sequence[Unit]) -> None:
        for unit in drawn:
            with _forked(unit.seed):
                self._unit_loss(unit).backward()  # type: ignore[no-untyped-call]
            self.optimizer.contribute()

    def _many_at_a_time(self, together: Together, drawn: Sequence[Unit]) -> bool:
        """False, and nothing done, where one patient's gradient would be rounded by another's."""
        for some in passes(drawn, together.slots):
            parts = [some[first : first + READ] for first in range(0, len(some), READ)]
            slots = together.prepared(self._records_of(part) for part in parts)
            if not self._are_alone(together, slots):
                self._together = None
                self.optimizer.begin()
                return False
            for gradient in together.gradients(slots, [len(unit.rows) for unit in some]):
                self.optimizer.add(gradient)
        return True

    def _are_alone(self, together: Together, like: Slots) -> bool:
        """Asked once a process for a model, and the shape of what it reads."""
        shapes = tuple(tuple(part.shape[1:]) for part in like.tensors())
        key = together.slots, shapes, torch.get_num_threads(), self.objective.model.config.model_dump_json()
        if key not in _ALONE:
            _ALONE[key] = together.alone(like)
            if not _ALONE[key]:
                log.warning(
                    "a patient's gradient is not the same among others as alone: one patient at a time"
                )
        return _ALONE[key]

    def _unit_loss(self, unit: Unit) -> Tensor:
        """The loss of a patient or a group; everything random in it follows from the unit's own seed."""
        records = self._records_of([unit])
        loss: Tensor = self._loss(records.batch, records.keep)[0]
        return loss

    def _records_of(self, some: Sequence[Unit]) -> Records:
        """Read in one go, everything random in a unit's from its own seed."""
        counts = [len(unit.rows) for unit in some]
        augmentations = [
            Augmentation(self._training.augmentation, torch_generator(unit.seed, "augmentation"))
            for unit in some
        ]
        batch = self._dataset.batch(
            np.concatenate([unit.rows for unit in some]), Augmentations(augmentations, counts)
        )
        draws = [
            modality_draws(count, 0, unit.seed, "unit") for unit, count in zip(some, counts, strict=True)
        ]
        keep = kept_modalities(batch.present, torch.cat(draws, dim=1), self._training.modality_dropout)
        return Records(batch, keep, counts)


def train_privately(training: PrivateTraining, first_step: int, steps: int) -> PrivateResult:
    """`steps` steps from number `first_step` of the run on. Raises RunError where something moved outside of them."""
    unmoved = Unmoved(training.objective)
    for number in range(first_step, first_step + steps):
        training.step(number)
    unmoved.require()
    return PrivateResult(training.moments(), steps, training.optimizer.secure_mode)


@contextmanager
def _forked(seed: int) -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed(seed, "dropout"))
        yield
