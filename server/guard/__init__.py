"""Every update is checked before it may touch the model; a bad one is quarantined and the round goes on."""

from server.guard.report import validation_problem
from server.guard.update import UpdateGuard

__all__ = ["UpdateGuard", "validation_problem"]
