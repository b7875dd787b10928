"""One resident model a process: sites are states swapped in and out of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch

from client.training.machine import Machine, machine_of
from shared_model.config import Config, LossConfig, ModelConfig
from shared_model.exchange import local_tensors, parameter_kinds
from shared_model.exchange.parameters import Arrays
from shared_model.losses import Objective
from shared_model.model import Tokenizer, build_model, load_tokenizer


@dataclass(frozen=True)
class Resident:
    """The process's model and loss weighting, its tokenizer, and the local tensors every site starts from."""

    objective: Objective
    tokenizer: Tokenizer
    initial_local: Arrays


def resident_model(config: Config) -> Resident:
    """The resident model of this configuration and seed, built on first use on the machine's device."""
    machine = training_machine(config)
    torch.set_num_threads(machine.threads)
    resident = _build(config.model, config.losses, config.seed, machine.device)
    resident.objective.model.run_plainly(config.runtime.plain)
    return resident


def training_machine(config: Config) -> Machine:
    """What this process trains on. Private training clips and adds its noise on the processor, in fp32."""
    if not config.privacy.enabled:
        return machine_of(config.runtime)
    return machine_of(config.runtime.model_copy(update={"device": "cpu", "precision": "fp32"}))


def shared_shapes(objective: Objective) -> dict[str, tuple[int, ...]]:
    """Of the tensors that travel."""
    state, kinds = objective.state_dict(), parameter_kinds(objective)
    return {name: tuple(state[name].shape) for name, kind in kinds.items() if kind == "shared"}


@lru_cache(maxsize=1)
def _build(model: ModelConfig, losses: LossConfig, seed: int, device: str) -> Resident:
    objective = Objective(build_model(model, seed=seed), losses).to(device)
    return Resident(objective, load_tokenizer(objective.model), local_tensors(objective))
