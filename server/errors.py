"""The coordinator's errors, each with a number that docs/coordinator.md explains."""

from __future__ import annotations

from enum import Enum

from shared_model.errors import RunError


class Code(Enum):
    """Number of an error: C1 joining, C2 rounds, C3 the record of runs, C4 the connection to Flower."""

    NO_SITE = "C101"
    NO_ANSWER = "C102"
    DIFFERS = "C103"
    NAME_TWICE = "C104"
    NO_PATIENTS = "C105"
    BAD_COUNT = "C106"
    TOO_FEW_SITES = "C107"
    BELOW_QUORUM = "C201"
    CANNOT_SEND = "C202"
    STOPPED = "C203"
    CANARY = "C204"
    NOT_A_SUM = "C205"
    NO_RUN = "C301"
    RUNNING = "C302"
    NOTHING_TO_RESUME = "C303"
    DAMAGED_CHECKPOINT = "C304"
    DAMAGED_STORE = "C305"
    ALTERED_AUDIT = "C306"
    NOTHING_TO_EXPORT = "C307"
    OTHER_RELEASE = "C308"
    NO_SITE_OF_THAT_NAME = "C309"
    NO_CONFIGURATION = "C310"
    NOTHING_TO_STOP = "C311"
    UNSOUND_EXPORT = "C312"
    NOT_JUDGED = "C313"
    UNREACHABLE = "C401"
    NOT_STARTED = "C402"


class CoordinatorError(RunError):
    """A run, or a command about one, that cannot go on."""

    def __init__(self, code: Code, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what, where=where, fix=fix)
        self.code = code

    def __str__(self) -> str:
        return f"{self.code.value} {super().__str__()}"


class RunStopped(CoordinatorError):
    """Somebody asked the run to stop; it can be resumed."""

    exit_code = 4

    def __init__(self, number: int) -> None:
        super().__init__(
            Code.STOPPED,
            f"the run was stopped on request before round {number} was complete",
            fix="fedfundus-coordinator resume goes on from the last complete round",
        )
