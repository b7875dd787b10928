"""The one way FedFundus tells a person that something they gave it cannot be used.

Every such error says what is wrong, where, and what to do about it. The command line prints it as one
message and exits with its code; no traceback is shown for a user's mistake.
"""

from __future__ import annotations

from shared_model.printable import visible


class FedFundusError(Exception):
    """A mistake in what the user gave, or a limit of the machine.

    what: the fact, in one sentence without patient values.
    where: file, row, column or configuration key.
    fix: what to do next.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = visible(what)  # it may repeat what somebody else sent
        self.where = visible(where)
        self.fix = fix

    def __str__(self) -> str:
        parts = [self.what]
        if self.where:
            parts.append(f"where: {self.where}")
        if self.fix:
            parts.append(f"fix: {self.fix}")
        return "\n  ".join(parts)


class ConfigError(FedFundusError):
    """A configuration key or value that does not exist or does not fit."""


class DataError(FedFundusError):
    """A data folder, table or photograph that cannot be used at all."""


class RunError(FedFundusError):
    """A run that cannot go on: no quorum, no disk, an output folder that is taken."""

    exit_code = 3
