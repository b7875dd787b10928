"""The numbers of what goes wrong between a kit and a running federation; docs/provisioning.md explains each."""

from __future__ import annotations

from enum import Enum

from shared_model.errors import RunError


class Code(Enum):
    """Number of an error: P1 federation.yaml, P2 a kit, P3 processes of this machine, P4 the way to the coordinator."""

    NAME_TWICE = "P101"
    NOT_WHOLE = "P201"
    OTHER_FEDERATION = "P202"
    CLOCK = "P203"
    EXPIRED = "P204"
    UNSOUND = "P205"
    NO_NGINX = "P301"
    PORT_TAKEN = "P302"
    NOT_STARTED = "P303"
    BUSY = "P304"
    NOT_STOPPED = "P305"
    ENDED = "P306"
    NOT_SERVING = "P307"
    OTHER_COMMAND = "P308"
    OLD_RECORD = "P309"
    NGINX_REFUSES = "P310"
    UNREACHABLE = "P401"
    REFUSED = "P402"
    ANOTHER_ANSWERS = "P403"
    NOT_CONNECTED = "P404"


class DeployError(RunError):
    """Something between a kit and a running federation, with its number."""

    def __init__(self, code: Code, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what, where=where, fix=fix)
        self.code = code
        if code.value < "P3":  # what was given is wrong, not the machine
            self.exit_code = 2

    def __str__(self) -> str:
        return f"{self.code.value} {super().__str__()}"
