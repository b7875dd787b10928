"""Canaries that are gradients: each points along a coordinate of its own, as far as clipping lets it.

No patient can do better: nothing else moves these coordinates, and the attacker reads each of them in the released
sum. So this audits the step itself (clipping, noise, its multiple of the sensitivity, what the accountant says of it)
nearly as tightly as counting can, through the code that every private round goes through.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from client.privacy.dp.plan import Plan, make_plan
from client.privacy.dp.randomness import Randomness, randomness_of
from client.privacy.dp.sampling import drawn
from client.privacy.dp.step import PrivateOptimizer
from shared_model.config import Config
from shared_model.randomness import numpy_generator

STEPS = 2
BLOCK = 1000  # canaries of one run of the steps: each contribution is as long, so that more would cost their square
LARGE = 1e3  # of the gradients, so that all of them are clipped


def audited_plan(config: Config, patients: int, steps: int = STEPS) -> Plan:
    """The plan of a site for a run of `steps` steps at the same budget: fewer of them with less noise each."""
    training = config.training.model_copy(update={"local_steps": steps})
    federation = config.federation.model_copy(update={"rounds": 1})
    return make_plan(config.model_copy(update={"training": training, "federation": federation}), patients)


def released(plan: Plan, randomness: Randomness, included: NDArray[np.bool_]) -> NDArray[np.float64]:
    """What the steps of `plan` release of each canary's coordinate (M,), added up; larger speaks for "in".

    In mode `groups` every canary has a group of its own, which it turns round: the farthest one patient can move one.
    """
    weights = nn.Parameter(torch.zeros(len(included)))
    optimizer = PrivateOptimizer(torch.optim.SGD([weights], lr=1.0), plan, randomness)
    names = [str(index) for index in range(len(included))]
    for step in range(plan.steps):
        here = set(drawn(names, plan.rate, step, randomness))
        for index, inside in enumerate(included):
            sign = 1.0 if inside and str(index) in here else 0.0 if plan.mode == "prototypes" else -1.0
            if sign:
                gradient = torch.zeros(len(included))
                gradient[index] = -LARGE * sign
                optimizer.add(gradient)
        optimizer.release(step)
    return weights.detach().double().numpy()


def coins(count: int, seed: int, *names: str | int) -> NDArray[np.bool_]:
    """A fair coin for each canary, (count,): True where it is in."""
    return numpy_generator(seed, "audit", "coins", *names).random(count) < 0.5


def blocks(
    plan: Plan, source: Callable[[int], Randomness], included: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """`released` of runs of BLOCK canaries each; source: number of the run -> where its draws come from."""
    parts = [included[first : first + BLOCK] for first in range(0, len(included), BLOCK)]
    return np.concatenate([released(plan, source(number), part) for number, part in enumerate(parts)])


def attack(
    config: Config, site: str, patients: int, seed: int, count: int, noise: float = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores and coins of `count` gradient canaries under this configuration's privacy.

    noise: of what the plan says; 0 in the control. Draws follow from the seed where the configuration says so, else
    they are the operating system's.
    """
    included = coins(count, seed, site, "gradients")
    plan = audited_plan(config, patients)
    plan = replace(plan, noise_multiplier=noise * plan.noise_multiplier)
    seeded = config.model_copy(update={"seed": seed})

    def source(number: int) -> Randomness:
        return randomness_of(seeded, f"{site} {number}", simulation=True)

    return blocks(plan, source, included), included
