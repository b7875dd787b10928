"""Checks on one site's update: keys, shapes, finite values, norm, plausible count, the right round, its report."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from server.guard.norms import update_norm
from server.guard.report import report_problem
from shared_model.exchange import Payload

Base = Mapping[str, NDArray[np.float32]]


class UpdateGuard:
    """The checks of one round.

    registered: address to the number of training examples the site gave when it joined. usual: the largest norm that
    the rounds before make plausible (NormHistory.bound).
    """

    def __init__(self, norm_bound: float, registered: Mapping[str, int], usual: float = math.inf) -> None:
        self.norm_bound = norm_bound
        self.registered = registered
        self.usual = usual
        self.norms: dict[str, float] = {}  # address to the norm of an update that passed so far

    def problem(self, address: str, update: Payload, base: Base, number: int) -> str | None:
        """Why this update, with its tensors unpacked, may not be used, or None."""
        return (
            self.header_problem(address, update, number)
            or _array_problem(update, base)
            or self._norm_problem(address, update, base)
            or _untrained_problem(update, base)
            or report_problem(update.fields)
        )

    def header_problem(self, address: str, update: Payload, number: int) -> str | None:
        """Why this update may not be used whatever its tensors are, or None."""
        if update.fields.get("round") != number:
            return f"answers round {update.fields.get('round')!r:.40}, not {number}"
        examples = update.fields.get("examples")
        if not isinstance(examples, int) or examples < 1 or examples != self.registered.get(address):
            return f"counts {examples!r:.40} examples, registered were {self.registered.get(address)}"
        return None

    def _norm_problem(self, address: str, update: Payload, base: Base) -> str | None:
        norm = self.norms[address] = update_norm(update.arrays, base)
        if norm > self.norm_bound:
            return f"its norm {norm:.3g} passes the bound {self.norm_bound:g}"
        if norm > self.usual:
            return f"its norm {norm:.3g} passes {self.usual:.3g}, which the rounds before make plausible"
        return None


def _array_problem(update: Payload, base: Base) -> str | None:
    if set(update.arrays) != set(base):
        return f"holds {len(update.arrays)} tensors that are not the {len(base)} expected ones"
    for name, expected in base.items():
        array = update.arrays[name]
        if array.shape != expected.shape:
            return f"{name} has shape {array.shape}, expected {expected.shape}"
        if array.dtype != np.float32:
            return f"{name} is {array.dtype}, expected float32"
        if not np.isfinite(array).all():
            return f"{name} holds NaN or infinity"
    return None


def _untrained_problem(update: Payload, base: Base) -> str | None:
    """Why the list of tensors that the site could not train is not to be believed, or None."""
    names = update.fields.get("untrained", [])
    if not isinstance(names, list) or not all(isinstance(name, str) and name in base for name in names):
        return "its untrained tensors are not a list of the expected ones"
    changed = [name for name in names if not np.array_equal(update.arrays[name], base[name])]
    return f"says that it did not train {changed[0]}, which has changed" if changed else None
