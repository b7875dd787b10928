"""The users' commands, given at a rehearsed machine and written down with what they answered."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.rehearsal.networks import Place
from shared_model.errors import RunError

MARK = "FEDFUNDUS_REHEARSAL"  # in the environment of every process: whose it is
PROGRAMS = Path(sys.executable).parent


class CommandFailed(RunError):
    """A command that ended as it should not. output: all that it said."""

    def __init__(self, what: str, output: str, where: str) -> None:
        super().__init__(
            what, where=where, fix="read what it said; each process's log lies in the rehearsal's folder"
        )
        self.output = output


@dataclass(frozen=True)
class Answer:
    """What a command answered."""

    code: int
    out: str
    err: str
    seconds: float


class Commands:
    """Commands in `folder`, written down in its commands.log. until: when (time.monotonic) all must have ended."""

    def __init__(self, folder: Path, until: float) -> None:
        self.folder = folder
        self.until = until
        self._running: set[subprocess.Popen[str]] = set()
        self.environment = {
            **os.environ,
            MARK: str(folder),
            "OMP_NUM_THREADS": "1",
            "PATH": f"{PROGRAMS}:{os.environ.get('PATH', '')}",
        }

    def give(
        self, place: Place | None, *command: object, cwd: Path | None = None, accepted: Sequence[int] = (0,)
    ) -> Answer:
        """Give a command at a machine (None: at none in particular). Raises CommandFailed for another exit code."""
        line = [*(place.prefix if place else ()), str(PROGRAMS / str(command[0])), *map(str, command[1:])]
        told = f"{place.name if place else '-'}$ {shlex.join(map(str, command))}"
        began = time.monotonic()
        left = self.until - began
        if left <= 0:
            raise CommandFailed("the time of the rehearsal is over", "", told)
        process = subprocess.Popen(
            line,
            cwd=cwd or self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._running.add(process)
        try:
            out, err = process.communicate(timeout=left)
        except BaseException as error:
            process.terminate()  # it stops what it has begun
            process.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                raise CommandFailed(f"a command did not end in {left:.0f} seconds", "", told) from None
            raise
        finally:
            self._running.discard(process)
        answer = Answer(process.returncode, out, err, time.monotonic() - began)
        self._write(f"{told}\n{answer.out}{answer.err}[exit code {answer.code}, {answer.seconds:.1f} s]\n\n")
        if answer.code not in accepted:
            said = (answer.err or answer.out).strip()
            raise CommandFailed(f"a command ended with exit code {answer.code}: {said[-600:]}", said, told)
        return answer

    def break_off(self) -> None:
        """End the commands that are under way, and let no other begin."""
        self.until = time.monotonic()
        for process in list(self._running):
            process.terminate()

    def _write(self, text: str) -> None:
        with (self.folder / "commands.log").open("a", encoding="utf-8") as stream:
            stream.write(text)
