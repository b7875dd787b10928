"""Checks on one site's update: keys, shapes, finite values, norm, plausible count, the right round, its report."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from server.guard.report import report_problem
from shared_model.exchange import Payload

Base = Mapping[str, NDArray[np.float32]]


class UpdateGuard:
    """registered: address to the number of training examples the site gave when it joined."""

    def __init__(self, norm_bound: float, registered: Mapping[str, int]) -> None:
        self.norm_bound = norm_bound
        self.registered = registered

    def problem(self, address: str, update: Payload, base: Base, number: int) -> str | None:
        """Why this update, with its tensors unpacked, may not be used, or None."""
        return (
            self.header_problem(address, update, number)
            or self._array_problem(update, base)
            or _untrained_problem(update, base)
            or report_problem(update.fields)
        )

    def header_problem(self, address: str, update: Payload, number: int) -> str | None:
        """Why this update may not be used whatever its tensors are, or None."""
        if update.fields.get("round") != number:
            return f"answers round {update.fields.get('round')!r}, not {number}"
        examples = update.fields.get("examples")
        if not isinstance(examples, int) or examples < 1 or examples != self.registered.get(address):
            return f"counts {examples!r} examples, registered were {self.registered.get(address)}"
        return None

    def _array_problem(self, update: Payload, base: Base) -> str | None:
        if set(update.arrays) != set(base):
            return f"holds {len(update.arrays)} tensors that are not the {len(base)} expected ones"
        square = 0.0
        for name, expected in base.items():
            array = update.arrays[name]
            if array.shape != expected.shape:
                return f"{name} has shape {array.shape}, expected {expected.shape}"
            if array.dtype != np.float32:
                return f"{name} is {array.dtype}, expected float32"
            if not np.isfinite(array).all():
                return f"{name} holds NaN or infinity"
            square += float(np.square(array.astype(np.float64) - expected).sum())
        if square**0.5 > self.norm_bound:
            return f"its norm {square**0.5:.3g} passes the bound {self.norm_bound:g}"
        return None


def _untrained_problem(update: Payload, base: Base) -> str | None:
    """Why the list of tensors that the site could not train is not to be believed, or None."""
    names = update.fields.get("untrained", [])
    if not isinstance(names, list) or not all(isinstance(name, str) and name in base for name in names):
        return "its untrained tensors are not a list of the expected ones"
    changed = [name for name in names if not np.array_equal(update.arrays[name], base[name])]
    return f"says that it did not train {changed[0]}, which has changed" if changed else None
