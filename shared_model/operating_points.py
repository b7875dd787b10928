"""Where a model's answer does not stand: below which confidence, and between which probabilities, a person decides.

Three thresholds for each input, each fixed on validation photographs for a share that is promised (a level) and none
on test photographs: how sure a grade has to be, below which probability of referable retinopathy nobody is referred,
and from which on somebody is. What lies between the last two is too near to call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared_model.statistics.reading import count, number

ACCURACY = 0.90  # of the grades that are sure enough
SENSITIVITY = 0.95  # referable photographs that are not among those cleared: to miss one costs most
SPECIFICITY = 0.90  # other photographs that are not among those referred
FEWEST = 20  # photographs behind a share; of fewer it says nothing


@dataclass(frozen=True)
class Threshold:
    """threshold: on a scale from 0 to 1, None where there is none. level: the share promised. reached: the share on
    the validation photographs, at least. n: the photographs that the share is of. unavailable: why there is no
    threshold, else None.
    """

    threshold: float | None
    level: float
    reached: float | None
    n: int
    unavailable: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain and JSON-serialisable."""
        return dict(vars(self))

    @classmethod
    def from_dict(cls, message: Mapping[str, Any]) -> Threshold:
        """The threshold in a message. Raises KeyError, ValueError or TypeError for a malformed one."""
        threshold, reached = (_share(message[name]) for name in ("threshold", "reached"))
        level, why = number(message["level"]), message["unavailable"]
        if not 0 < level <= 1 or (threshold is None) != (reached is None) or (threshold is None) != bool(why):
            raise ValueError("a threshold that no fit could have given")
        return cls(threshold, level, reached, count(message["n"]), str(why) if why else None)


@dataclass(frozen=True)
class OperatingPoints:
    """Of one task and input. confidence: a grade at least this sure stands. clear: below it nobody is referred.
    refer: from it on somebody is.
    """

    confidence: Threshold
    clear: Threshold
    refer: Threshold

    @property
    def any(self) -> bool:
        """Whether there is a threshold among them."""
        return any(one.threshold is not None for one in (self.confidence, self.clear, self.refer))

    def to_dict(self) -> dict[str, Any]:
        """Plain and JSON-serialisable."""
        return {name: threshold.to_dict() for name, threshold in vars(self).items()}

    @classmethod
    def from_dict(cls, message: Mapping[str, Any]) -> OperatingPoints:
        """The points in a message. Raises KeyError, ValueError or TypeError for malformed ones."""
        return cls(*(Threshold.from_dict(message[name]) for name in ("confidence", "clear", "refer")))


def _share(value: Any) -> float | None:
    if value is None:
        return None
    found = number(value)
    if not 0 <= found <= 1:
        raise ValueError("a share out of its bounds")
    return found
