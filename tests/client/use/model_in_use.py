"""What the tests of a model in use share: operating points at which everything stands, and how a command is called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from shared_model.calibration import Calibration
from shared_model.operating_points import OperatingPoints, Threshold

# Everything stands and is referred: what keeps a case from it is then the photograph alone.
EASY = OperatingPoints(
    Threshold(0.0, 0.9, 0.95, 40), Threshold(0.0, 0.95, 0.96, 50), Threshold(0.0, 0.9, 0.9, 70)
)
CALIBRATION = Calibration({"icdr": 1.3}, {"icdr": 99}, {"icdr": 0.6}, {"icdr": {"all": EASY, "image": EASY}})


class Said(NamedTuple):
    code: int
    out: str
    err: str


SaveModel = Callable[..., Path]
Command = Callable[..., Said]
