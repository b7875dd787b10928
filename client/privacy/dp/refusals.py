"""What private training refuses at a site, by the key at fault: whatever could carry a patient past the clipped step.

A bound is proved for everything that is trained together. A parameter trained beside the step, or a statistic that the
forward pass updates, would void it without any complaint. What the configuration alone shows stands in
shared_model.private_training, and is refused there before any site is asked.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.optim import Optimizer

from shared_model.errors import ConfigError, RunError
from shared_model.private_training import key_of


def require_all_in_step(objective: nn.Module, optimizer: Optimizer) -> None:
    """Every trainable parameter is in the one optimiser that clips and noises. ConfigError naming one that is not."""
    inside = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    for name, parameter in objective.named_parameters():
        if parameter.requires_grad and id(parameter) not in inside:
            raise ConfigError(
                f"{name} would be trained outside the clipped and noised step, and carry patients into what leaves",
                where=key_of(name),
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
                    where=key_of(name),
                    fix="use a model whose forward pass changes nothing; this update was not released",
                )


def _fixed(objective: nn.Module) -> Mapping[str, Tensor]:
    frozen = {name: p for name, p in objective.named_parameters() if not p.requires_grad}
    return frozen | dict(objective.named_buffers())
