"""Whether a configuration can be trained under differential privacy at all: known without any patient's data.

The coordinator and the simulation ask before a plan is signed or a photograph is read; a site asks again before its
first step. A loss that lets one patient into another's gradient, or a statistic over several records, would void the
proof of docs/privacy.md without any complaint.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from shared_model.config import Config
from shared_model.errors import ConfigError
from shared_model.losses import Objective
from shared_model.model import build_model

_CONTRASTIVE = frozenset({"image_text", "image_structured", "text_structured"})
_ALONE = frozenset({"image_reconstruction", "text_reconstruction", "grading"})
# Of each mode, the losses whose gradient is known to keep to the patient, or to the group.
_UNDERSTOOD = {"prototypes": _CONTRASTIVE | _ALONE, "groups": _CONTRASTIVE | _ALONE}
_KEYS = {  # parameter prefix -> the key that puts it there
    "model.image_decoder.": "model.decoders.enabled",
    "model.text_decoder.": "model.decoders.enabled",
    "model.image_encoder.": "model.image",
    "model.text_encoder.": "model.text",
    "weighting.": "losses.weighting",
}


def problems(config: Config, objective: Objective) -> Iterator[ConfigError]:
    """Every reason why this configuration and model cannot be trained privately."""
    losses, mode = config.losses, config.privacy.mode
    if type(objective) is not Objective or objective.wanted - _UNDERSTOOD[mode]:
        strange = sorted(objective.wanted - _UNDERSTOOD[mode]) or [type(objective).__name__]
        yield ConfigError(
            f"the loss {strange[0]} is not known to keep patients apart",
            where="losses",
            fix=f"use the losses that mode {mode} knows: {', '.join(sorted(_UNDERSTOOD[mode]))}",
        )
    if mode == "prototypes" and losses.contrastive_source == "paired" and objective.wanted & _CONTRASTIVE:
        yield ConfigError(
            "public examples are encoded one modality at a time, so paired contrastive losses have no negatives",
            where="losses.contrastive_source",
            fix='set it to "unimodal", or privacy.mode to "groups"',
        )
    if config.federation.strategy == "fedprox" and config.training.proximal > 0:
        yield ConfigError(
            "FedProx adds a term to the loss that the private step does not have",
            where="federation.strategy",
            fix="use fedavg, fedavgm, fedadam or fedyogi, or set training.proximal = 0",
        )
    for name, module in objective.named_modules():
        if isinstance(module, nn.modules.batchnorm._NormBase):  # batch and instance normalisation
            yield ConfigError(
                f"{name} normalises over other records than a sample's own, or keeps their statistics",
                where=key_of(name + "."),
                fix="use a model with layer or group normalisation",
            )
    if not any(parameter.requires_grad for parameter in objective.parameters()):
        yield ConfigError(
            "nothing is left to train: every parameter is frozen",
            where="model",
            fix="freeze fewer blocks",
        )


def require_private(config: Config, objective: Objective) -> None:
    """Raises the first of `problems`, as a ConfigError naming the key."""
    for problem in problems(config, objective):
        raise problem


def require_private_run(config: Config) -> None:
    """As `require_private`, of a model without its numbers, made for the question; nothing where no privacy is asked.

    Raises ConfigError naming the key. Takes a second at full size, and no memory.
    """
    if not config.privacy.enabled:
        return
    with torch.device("meta"):
        objective = Objective(build_model(config.model, pretrained=False), config.losses)
    require_private(config, objective)


def key_of(name: str) -> str:
    """The configuration key that puts the parameter or module `name` of an objective there, or the name."""
    return next((key for prefix, key in _KEYS.items() if name.startswith(prefix)), name.rstrip("."))
