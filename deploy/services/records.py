"""Which process a service is: its id with the moment it began, since the system gives ids out again.

What a process has started may outlive it (a killed SuperLink leaves its ServerApp, in a session of its own): whoever
shares the service's session, descends from it, or was handed its mark in the environment belongs to it.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import psutil

from shared_model.files import write_text

MARK = "FEDFUNDUS_SERVICE"  # in the environment of a service: the file of its record
_SAME_MOMENT = 0.05  # seconds: psutil reads the same clock anew


@dataclass(frozen=True)
class Record:
    """pid: of the process, which leads a session of its own. began: psutil's moment of its start. mark: see MARK."""

    pid: int
    began: float
    mark: str

    def process(self) -> psutil.Process | None:
        """The process, None where it has ended."""
        try:
            found = psutil.Process(self.pid)
            return found if self._same(found) and found.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None

    def family(self) -> list[psutil.Process]:
        """The process and everything it has started that is still there."""
        found: dict[int, psutil.Process] = {}
        for process in psutil.process_iter():
            try:
                if process.status() == psutil.STATUS_ZOMBIE or not self._ours(process):
                    continue
                found |= {one.pid: one for one in (process, *process.children(recursive=True))}
            except (psutil.Error, OSError):  # ended meanwhile, or another user's
                continue
        return list(found.values())

    def _ours(self, process: psutil.Process) -> bool:
        if process.pid == self.pid:
            return self._same(process)
        # The number of a session is given out again no sooner than all of its processes have ended.
        in_session = os.getsid(process.pid) == self.pid and process.create_time() >= self.began - _SAME_MOMENT
        return bool(in_session or process.environ().get(MARK) == self.mark)

    def _same(self, process: psutil.Process) -> bool:
        return bool(abs(process.create_time() - self.began) < _SAME_MOMENT)


def write(file: Path, pid: int) -> Record:
    """Keep the record of a process that was just started."""
    record = Record(pid, psutil.Process(pid).create_time(), str(file))
    write_text(file, json.dumps({"pid": record.pid, "began": record.began}))
    return record


def read(file: Path) -> Record | None:
    """The record, None where there is none or it is damaged: nothing is known to run then."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return Record(int(found["pid"]), float(found["began"]), str(file))
    except (OSError, ValueError, KeyError, TypeError):
        return None
