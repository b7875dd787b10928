"""Every update is checked before it may touch the model; a bad one is quarantined and the round goes on."""

from server.guard.norms import NormHistory, clipped
from server.guard.opening import opened
from server.guard.report import validation_problem
from server.guard.update import UpdateGuard

__all__ = ["NormHistory", "UpdateGuard", "clipped", "opened", "validation_problem"]
