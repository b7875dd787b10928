"""The three kinds of parameter, named once.

trunk: frozen, never travels, its fingerprint is compared when a site joins. shared: travels. local: stays at the
site (the decoders by default, since they can memorise a photograph or a note).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shared_model.config.schema import ModelConfig
from shared_model.losses import Objective

Kind = Literal["trunk", "shared", "local"]
Arrays = dict[str, NDArray[np.float32]]


def parameter_kinds(objective: Objective) -> dict[str, Kind]:
    """Kind of every tensor of the objective's state (parameters, and buffers as trunk)."""
    return _kinds_of(objective, objective.state_dict())


def _kinds_of(objective: Objective, state: Mapping[str, Tensor]) -> dict[str, Kind]:
    config: ModelConfig = objective.model.config
    trainable = {name for name, parameter in objective.named_parameters() if parameter.requires_grad}
    prefixes = tuple(f"model.{module}." for module in config.local)
    kinds: dict[str, Kind] = {}
    for name in state:
        if name not in trainable:
            kinds[name] = "trunk"
        else:
            kinds[name] = "local" if prefixes and name.startswith(prefixes) else "shared"
    return kinds


def shared_tensors(objective: Objective) -> Arrays:
    """Copies of the tensors that travel, fp32, in the model's order."""
    return _tensors(objective, "shared")


def local_tensors(objective: Objective) -> Arrays:
    """Copies of the tensors that stay at the site."""
    return _tensors(objective, "local")


def _tensors(objective: Objective, kind: Kind) -> Arrays:
    state = objective.state_dict()
    kinds = _kinds_of(objective, state)
    return {name: read_tensors(state[name]) for name in state if kinds[name] == kind}


def read_tensors(tensor: Tensor) -> NDArray[np.float32]:
    """A tensor as an fp32 array of its own memory."""
    return tensor.detach().to(torch.float32).cpu().numpy().copy()


def write_tensors(objective: Objective, arrays: Mapping[str, NDArray[np.float32]]) -> None:
    """Copy arrays into the objective's tensors of the same names, shapes and nothing else (KeyError, ValueError)."""
    state = objective.state_dict()
    with torch.no_grad():
        for name, array in arrays.items():
            target = state[name]
            if tuple(target.shape) != tuple(array.shape):
                raise ValueError(f"{name}: {tuple(array.shape)} does not fit {tuple(target.shape)}")
            if target.device.type == "cpu" and target.dtype == torch.float32:
                np.copyto(target.numpy(), array)  # which also reads what may not be written
            else:
                target.copy_(torch.from_numpy(np.array(array)))


def trunk_fingerprint(objective: Objective) -> str:
    """SHA-256 over name, shape and bytes of every trunk tensor: equal only if all sites stand on the same trunk."""
    digest = hashlib.sha256()
    state = objective.state_dict()
    for name, kind in parameter_kinds(objective).items():
        if kind == "trunk":
            tensor = state[name].detach().cpu().contiguous()
            digest.update(f"{name}:{tuple(tensor.shape)}:{tensor.dtype};".encode())
            digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
