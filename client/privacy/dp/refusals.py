"""What private training refuses, by the key at fault: whatever could carry a patient past the clipped, noised step.

A bound is proved for everything that is trained together. A parameter trained beside the step, a statistic that the
forward pass updates, or a loss that lets one patient into another's gradient would void it without any complaint.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor, nn
from torch.optim import Optimizer

from shared_model.config import Config
from shared_model.errors import ConfigError, RunError
from shared_model.losses import Objective

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
                where=_key(name + "."),
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


def require_all_in_step(objective: nn.Module, optimizer: Optimizer) -> None:
    """Every trainable parameter is in the one optimiser that clips and noises. ConfigError naming one that is not."""
    inside = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    for name, parameter in objective.named_parameters():
        if parameter.requires_grad and id(parameter) not in inside:
            raise ConfigError(
                f"{name} would be trained outside the clipped and noised step, and carry patients into what leaves",
                where=_key(name),
                fix="train it in the same step, freeze it, or leave it out of the model",
            )


class Unmoved:
    """What the optimiser does not hold, buffers and frozen parameters, which no step may write to."""

    def __init__(self, objective: nn.Module) -> None:
        self._objective = objective
        self._before = {name: (tensor, tensor._version) for name, tensor in _fixed(objective).items()}

    def require(self) -> None:
        """Raises RunError, and nothing is to be released, where a buffer or a frozen parameter was written to."""
        for name, tensor in _fixed(self._objective).items():
            before, version = self._before[name]
            if tensor is not before or tensor._version != version:
                raise RunError(
                    f"{name} changed during private training without being clipped or noised",
                    where=_key(name),
                    fix="use a model whose forward pass changes nothing; this update was not released",
                )


def _fixed(objective: nn.Module) -> Mapping[str, Tensor]:
    frozen = {name: p for name, p in objective.named_parameters() if not p.requires_grad}
    return frozen | dict(objective.named_buffers())


def _key(name: str) -> str:
    return next((key for prefix, key in _KEYS.items() if name.startswith(prefix)), name.rstrip("."))
