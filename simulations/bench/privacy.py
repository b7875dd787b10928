"""A step under differential privacy against a plain step of the same trainable set, on the same patients.

Both read the same records through the same trunk cache and train the same parameters in fp32. The plain one makes one
gradient of all of them; the private one makes one a patient, clips and rounds each, adds noise from the operating
system and optimises. Patients taken one at a time, as before, stand beside it.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from client.cache.trunk_cache import Reading, TrunkCache
from client.data.dataset import SiteDataset
from client.privacy.dp.bank import public_bank
from client.privacy.dp.plan import Plan, make_plan
from client.privacy.dp.randomness import OperatingSystem, Seeded
from client.privacy.dp.sampling import patients_of, units
from client.privacy.dp.step import PrivateOptimizer
from client.privacy.dp.together import Together
from client.privacy.dp.training import PrivateTraining
from client.statistics.policy import Policy
from client.statistics.site_answer import site_answer
from client.training.augmentation import Augmentation
from client.training.machine import machine_of
from client.training.optimizer import make_optimizer
from client.training.sampling import modality_dropout
from shared_model.config import Config, load_config
from shared_model.losses import Objective
from shared_model.model import build_model, load_tokenizer
from shared_model.randomness import torch_generator
from shared_model.statistics import pool
from simulations.bench.figure import Figure, Measured
from simulations.bench.profiled import operations
from simulations.bench.setting import Setting
from simulations.bench.stopwatch import Watched, stopwatch
from simulations.prepare import prepare

PATIENTS = {True: 320, False: 48}  # of which four fifths are trained on: `private` draws 256 a step
GOAL = 1.25
PART = 32  # photographs of a plain step that go through the model at once: its quickest of 16, 32 and 64
STAGES: tuple[Watched, ...] = (
    (Together, "of_slots", "a gradient of every two records of a patient"),
    (Together, "prepared", "read notes and kept features, and lay them out in slots"),
    (PrivateOptimizer, "add", "clip, round and add up"),
    (PrivateOptimizer, "release", "noise and optimiser"),
)


@dataclass
class Bench:
    """One site, every patient of which is drawn in every step."""

    config: Config
    objective: Objective
    dataset: SiteDataset
    plan: Plan

    @property
    def rows(self) -> NDArray[np.int64]:
        """The training records."""
        return self.dataset.rows_of("train")

    def privately(self, *, one_at_a_time: bool) -> Callable[[int], None]:
        """A site's private step (client.privacy.dp.training), as it is."""
        standardisation, tokenizer = self._reading()
        bank = public_bank(2, self.config.model.image.size, tokenizer, standardisation)
        training = PrivateTraining(
            copy.deepcopy(self.objective),
            self.dataset,
            self.rows,
            self.config,
            self.plan,
            OperatingSystem(),
            bank,
            learning_rate=self.config.training.learning_rate,
            one_at_a_time=one_at_a_time,
        )
        return training.step

    def plainly(self) -> Callable[[int], None]:
        """The step without privacy: one gradient of all records, in parts of PART, and the same optimiser."""
        objective, training = copy.deepcopy(self.objective).train(), self.config.training
        optimizer = make_optimizer(objective, training, training.learning_rate)
        trained = [parameter for parameter in objective.parameters() if parameter.requires_grad]
        drawn = units(patients_of(self.dataset.table, self.rows), self.plan, 0, Seeded(0, "bench"))
        rows = np.concatenate([unit.rows for unit in drawn])

        def step(number: int) -> None:
            augmentation = Augmentation(training.augmentation, torch_generator(0, "bench", number))
            optimizer.zero_grad(set_to_none=True)
            for first in range(0, len(rows), PART):
                batch = self.dataset.batch(rows[first : first + PART], augmentation)
                keep = modality_dropout(batch.present, training.modality_dropout, number, 0, "bench")
                share = len(rows[first : first + PART]) / len(rows)
                (objective(batch, keep)[0] * share).backward()
            torch.nn.utils.clip_grad_norm_(trained, training.gradient_norm)
            optimizer.step()

        return step

    def _reading(self) -> tuple[Any, Any]:
        standardisation = pool([site_answer(self.dataset.table, self.dataset._images, Policy())])
        return standardisation, load_tokenizer(self.objective.model)


def measure(setting: Setting) -> Measured:
    """privacy.step_slowdown."""
    preset = "private" if setting.full else "private-tiny"
    bench = _bench(load_config(preset, model__pretrained="never", cache__image_draws=1), setting)
    torch.set_num_threads(machine_of(bench.config.runtime).threads)
    private, alone = bench.privately(one_at_a_time=False), bench.privately(one_at_a_time=True)
    setting.say("timing plain and private steps in turn")
    times = _times([bench.plainly(), private, alone], setting.repeats)
    trained = sum(p.numel() for p in bench.objective.parameters() if p.requires_grad)
    about = (
        f"preset {preset}, {bench.plan.patients} patients, {len(bench.rows)} photographs, {trained:,} trained"
    )
    figures = [
        Figure(
            "privacy.step_slowdown",
            tuple(map(float, times[:, 1] / times[:, 0])),
            f"private step / plain step of the same parameters and patients: {about}, trunks cached, fp32",
            goal=GOAL,
            better="lower",
            details={"seconds": {n: list(times[:, i]) for i, n in enumerate(("plain", "private", "alone"))}},
            applies=setting.full,
        ),
        Figure(
            "privacy.step_slowdown_one_at_a_time",
            tuple(map(float, times[:, 2] / times[:, 0])),
            "the same with one backward pass a patient",
            better="lower",
        ),
    ]
    profile = {
        f"Where a private step goes: {about}": _stages(lambda: private(0)),
        "A private step by operation": operations(lambda: private(0)),
        "A plain step by operation": operations(lambda: bench.plainly()(0)),
    }
    return Measured(figures, profile)


def _stages(step: Callable[[], None]) -> list[str]:
    with stopwatch(STAGES) as clock:
        started = time.perf_counter()
        step()
        wall = time.perf_counter() - started
        spent = dict(clock)
    spent["everything else"] = wall - sum(spent.values())
    ordered = sorted(spent.items(), key=lambda one: -one[1])
    return [f"{seconds:9.3f} s {seconds / wall:7.1%}  {label}" for label, seconds in ordered]


def _times(steps: list[Callable[[int], None]], repeats: int) -> NDArray[np.float64]:
    """Seconds (repeats, len(steps)), the steps in turn, after one of each that warms up."""
    times = np.zeros((repeats + 1, len(steps)))
    for repeat in range(repeats + 1):
        for which, step in enumerate(steps):
            started = time.perf_counter()
            step(repeat)
            times[repeat, which] = time.perf_counter() - started
    return times[1:]


def _bench(config: Config, setting: Setting) -> Bench:
    folder = setting.folder / f"privacy-{config.preset}"
    prepared = prepare(setting.drawn(PATIENTS[setting.full]), config, folder)
    standardisation = pool([site_answer(prepared.table, prepared.images, Policy())])
    objective = Objective(build_model(config.model), config.losses)
    setting.say("building the trunk cache")
    reading = Reading(objective.model, load_tokenizer(objective.model), standardisation, config)
    dataset = TrunkCache(folder / "features").dataset(prepared.table, prepared.images, reading)
    table = dataset.table
    patients = int(table.loc[table["split"] == "train", "patient_id"].nunique())
    return Bench(config, objective, dataset, replace(make_plan(config, patients), rate=1.0))
