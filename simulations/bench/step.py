"""A training step at full size against the stock loop's: with both trunk caches, and with fresh augmentations.

The three are timed in turn, so that a busy moment falls on all of them, and start from the same weights. That they
learn the same is measured beside it, without dropout, whose draws differ: losses of fifty steps, the same photographs
in the same versions.
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

from client.cache.features import Features, ImageFeatures
from client.cache.trunk_cache import Reading, TrunkCache
from client.data.dataset import SiteDataset
from client.statistics.policy import Policy
from client.statistics.site_answer import site_answer
from client.training.augmentation import Augmentation, DrawnAugmentations
from client.training.machine import BF16_WORTH, bf16_gain, machine_of
from client.training.optimizer import make_optimizer
from shared_model.config import Config, load_config
from shared_model.losses import Objective
from shared_model.model import build_model, load_tokenizer
from shared_model.randomness import torch_generator
from shared_model.statistics import pool
from simulations.bench.figure import Figure, Measured
from simulations.bench.plain_step import PlainLoop
from simulations.bench.profiled import operations
from simulations.bench.setting import Setting
from simulations.prepare import prepare

PATIENTS, DRAWS, STEPS = 24, 2, 50
GOALS = {True: (4.5, 3.3), False: (2.0, 1.4)}  # where the processor gains by bf16, and where not
TOLERANCE = {True: 0.05, False: 0.01}  # of a loss, relative
SMALL: dict[str, Any] = {  # the trajectory's model outside of --full: frozen blocks and all, in seconds
    "model__image__stem": "patch",
    "model__image__depth": 4,
    "model__image__frozen_blocks": 3,
    "model__text__depth": 3,
    "model__text__frozen_blocks": 2,
    "model__text__freeze_embeddings": True,
}


@dataclass
class Bench:
    """One configuration's model and data: `cached` reads both trunk caches, `fresh` draws photographs anew."""

    config: Config
    objective: Objective
    cached: SiteDataset
    fresh: SiteDataset
    rows: NDArray[np.int64]

    def stepping(self, dataset: SiteDataset) -> Callable[[int], float]:
        """Our step, one at a time: what a site's loop (client.training.loop) does in one, of its own parts, without
        modality dropout.
        """
        objective, training = copy.deepcopy(self.objective).train(), self.config.training
        optimizer = make_optimizer(objective, training, training.learning_rate)
        trained = [parameter for parameter in objective.parameters() if parameter.requires_grad]
        machine = machine_of(self.config.runtime)
        objective.to(machine.device)

        def step(index: int) -> float:
            batch = dataset.batch(self._chosen(index), self._augmentation(index)).to(machine.device)
            with machine.autocast():
                loss, _ = objective(batch)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, training.gradient_norm)
            optimizer.step()
            return float(loss.detach())

        return step

    def plainly(self) -> Callable[[int], float]:
        """The stock loop's step on the same photographs."""
        device = machine_of(self.config.runtime).device
        loop = PlainLoop(copy.deepcopy(self.objective).to(device), self.config.training)

        def step(index: int) -> float:
            return loop.step(self.fresh.batch(self._chosen(index), self._augmentation(index)).to(device))

        return step

    def _chosen(self, index: int) -> NDArray[np.int64]:
        size = self.config.training.batch_size
        return np.take(self.rows, range(index * size, (index + 1) * size), mode="wrap")

    def _augmentation(self, index: int) -> Augmentation:
        return Augmentation(self.config.training.augmentation, torch_generator(0, "bench", index))


def measure(setting: Setting) -> Measured:
    """training_step.speedup and training_step.speedup_fresh_augmentation."""
    config = load_config("paper", model__pretrained="never")
    gain = bf16_gain(machine_of(config.runtime).threads)
    reduced = gain >= BF16_WORTH
    torch.set_num_threads(machine_of(config.runtime).threads)
    bench = _bench(config, setting)
    setting.say("timing full-size steps")
    times = _times(
        [bench.plainly(), bench.stepping(bench.fresh), bench.stepping(bench.cached)], setting.repeats
    )
    details = {
        "machine": machine_of(config.runtime).describe(),
        "bf16_gain": gain,
        "seconds": {name: list(times[:, i]) for i, name in enumerate(("plain", "fresh", "cached"))},
    }
    setting.say(f"following the losses of {STEPS} steps")
    trajectory = _trajectory(config if setting.full else load_config("tiny", **SMALL), setting)
    cached, fresh = GOALS[reduced]
    figures = [
        _figure("speedup", times[:, 0] / times[:, 2], cached, "both trunk caches", details | trajectory),
        _figure(
            "speedup_fresh_augmentation", times[:, 0] / times[:, 1], fresh, "fresh augmentations", details
        ),
        Figure(
            "training_step.loss_difference",
            (trajectory["loss_difference"],),
            f"largest relative difference of a loss from the stock loop's over {STEPS} steps, both trunk caches",
            unit="",
            goal=TOLERANCE[reduced],
            better="lower",
            applies=setting.full,
        ),
    ]
    step = bench.stepping(bench.cached)
    return Measured(
        figures, {"One full-size step, both trunk caches": operations(lambda: step(0))}, {"bf16": reduced}
    )


def _figure(
    name: str, ratios: NDArray[np.float64], goal: float, how: str, details: dict[str, object]
) -> Figure:
    what = f"stock PyTorch step / ours with {how}: preset paper, batch 8, dropout on"
    return Figure(f"training_step.{name}", tuple(map(float, ratios)), what, goal=goal, details=details)


def _times(steps: list[Callable[[int], float]], repeats: int) -> NDArray[np.float64]:
    """Seconds (repeats, len(steps)), the steps in turn, after one of each that warms up."""
    times = np.zeros((repeats + 1, len(steps)))
    for repeat in range(repeats + 1):
        for which, step in enumerate(steps):
            started = time.perf_counter()
            step(repeat)
            times[repeat, which] = time.perf_counter() - started
    return times[1:]


def _trajectory(config: Config, setting: Setting) -> dict[str, float]:
    """Without dropout; the stock loop reads the versions of photographs that the cache draws."""
    still = config.model.fusion.model_copy(update={"dropout": 0.0})
    config = config.model_copy(update={"model": config.model.model_copy(update={"fusion": still})})
    bench = _bench(config, setting, same_versions=True)
    for module in bench.objective.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    curves = [
        np.array([step(index) for index in range(STEPS)])
        for step in (bench.plainly(), bench.stepping(bench.cached))
    ]
    return {"loss_difference": float(np.max(np.abs(curves[1] - curves[0]) / np.abs(curves[0])))}


def _bench(config: Config, setting: Setting, *, same_versions: bool = False) -> Bench:
    """same_versions: `fresh` draws photographs as the cache does, and computes their trunks."""
    config = config.model_copy(update={"cache": config.cache.model_copy(update={"image_draws": DRAWS})})
    folder = setting.folder / f"step-{config.model.image.size}"
    prepared = prepare(setting.drawn(PATIENTS), config, folder)
    table, images = prepared.table, prepared.images
    answer = site_answer(table, images, Policy())
    standardisation = pool([answer])
    objective = Objective(build_model(config.model), config.losses)
    tokenizer = load_tokenizer(objective.model)
    setting.say("building the trunk cache")
    reading, cache = (
        Reading(objective.model, tokenizer, standardisation, config),
        TrunkCache(folder / "features"),
    )
    cached = cache.dataset(table, images, reading)
    encoder = objective.model.image_encoder
    if same_versions and encoder:
        drawn = DrawnAugmentations(config.training.augmentation, DRAWS, config.seed)
        uncached = Features(ImageFeatures(encoder, drawn, None))
        fresh = SiteDataset(table, images, tokenizer, standardisation, uncached)
    else:
        no_draws = config.model_copy(update={"cache": config.cache.model_copy(update={"image_draws": 0})})
        fresh = cache.dataset(table, images, replace(reading, config=no_draws))
    return Bench(config, objective, cached, fresh, fresh.rows_of("train"))
