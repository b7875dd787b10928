"""Which process a service is: its number, with the boot and the tick at which it began, which no set clock moves.

What a process has started may outlive it (a killed SuperLink leaves its ServerApp, in a session of its own): whoever
shares the service's session, descends from it, or was handed its mark in the environment belongs to it.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import psutil

from shared_model.files import write_text

MARK = "FEDFUNDUS_SERVICE"  # in the environment of a service: the file of its record
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_SAME_MOMENT = 0.05  # seconds: psutil reads the same clock anew


@dataclass(frozen=True)
class Record:
    """pid: of the process, which leads a session of its own. boot, ticks: of its start. mark: see MARK.

    command: what was started. log: bytes that its log had before. began: of a release before ours, which kept the
    moment by the clock (seconds of the epoch) and neither boot nor ticks.
    """

    pid: int
    boot: str
    ticks: int
    mark: str
    command: tuple[str, ...] = ()
    log: int = 0
    began: float | None = None

    def process(self) -> psutil.Process | None:
        """The process, None where it has ended."""
        found = self._holder()
        return found if found is not None and self._leads(found) else None

    def doubtful(self) -> bool:
        """Whether a process has the number, and a record of an earlier release cannot tell if it is the one."""
        found = self._holder()
        return self.began is not None and found is not None and not self._leads(found)

    def family(self) -> list[psutil.Process]:
        """The process and everything it has started that is still there."""
        found: dict[int, psutil.Process] = {}
        session = self._session()
        for process in psutil.process_iter():
            try:
                if process.status() == psutil.STATUS_ZOMBIE or not self._ours(process, session):
                    continue
                found |= {one.pid: one for one in (process, *process.children(recursive=True))}
            except (psutil.Error, OSError):  # ended meanwhile, or another user's
                continue
        return list(found.values())

    def _holder(self) -> psutil.Process | None:
        """Whoever has the number now, alive."""
        try:
            found = psutil.Process(self.pid)
            return found if found.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None

    def _leads(self, process: psutil.Process) -> bool:
        try:
            if self._began_then(process):
                return True
            return bool(process.environ().get(MARK) == self.mark)
        except (psutil.Error, OSError):  # ended meanwhile, or another user's, whom nobody marked for us
            return False

    def _began_then(self, process: psutil.Process) -> bool:
        if self.began is not None:
            return bool(abs(process.create_time() - self.began) < _SAME_MOMENT)
        return self.boot == boot() and ticks(process.pid) == self.ticks

    def _session(self) -> _Session:
        """What a session of this number is to us now."""
        if self.began is not None:  # it says nothing of the boot: believed only beside its leader
            return _Session.LED if self.process() is not None else _Session.ANOTHERS
        if self.boot != boot():
            return _Session.ANOTHERS
        try:  # a dead leader that nobody has waited for is still there
            return _Session.LED if ticks(self.pid) == self.ticks else _Session.ANOTHERS
        except OSError:
            return _Session.LEFT

    def _ours(self, process: psutil.Process, session: _Session) -> bool:
        if process.pid == self.pid:
            return self._leads(process)
        environment = process.environ()
        if environment.get(MARK) == self.mark:
            return True
        if session is _Session.ANOTHERS or os.getsid(process.pid) != self.pid:
            return False
        # The number of a session is given out again once all of its processes have ended: one whose leader is gone
        # could be another's by now. What we start is marked, but for nginx, which writes its title over the mark.
        return session is _Session.LED or not environment


class _Session(Enum):
    """Whose the session of a record's number is: led by the process, left by it, or another's."""

    LED = 1
    LEFT = 2
    ANOTHERS = 3


def boot() -> str:
    """Which boot of this machine this is; "unknown" where the system does not say."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


def ticks(pid: int) -> int:
    """When a process began, in clock ticks since the boot. Raises OSError where there is none of that number."""
    text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    return int(text.rpartition(")")[2].split()[19])  # field 22; the name, field 2, may hold anything


def write(file: Path, pid: int, command: tuple[str, ...] = (), log: int = 0) -> Record:
    """Keep the record of a process that was just started."""
    record = Record(pid, boot(), ticks(pid), str(file), command, log)
    told = {"pid": pid, "boot": record.boot, "ticks": record.ticks, "command": command, "log": log}
    write_text(file, json.dumps(told))
    return record


def read(file: Path) -> Record | None:
    """The record, None where there is none or it is damaged: nothing is known to run then."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if "boot" not in found:
            return Record(int(found["pid"]), "", 0, str(file), began=float(found["began"]))
        command = tuple(map(str, found.get("command", ())))
        return Record(
            int(found["pid"]),
            str(found["boot"]),
            int(found["ticks"]),
            str(file),
            command,
            int(found.get("log", 0)),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
