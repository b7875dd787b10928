"""A member's processes without a service manager: each in a session of its own, with a record and a log in one folder.

What `start` and `stop` of the coordinator and of a site stand on. They start what does not run and leave alone what
does, so that they may be repeated; nothing is watched or started again by itself, which is a service manager's work
(the kit has service files). A start that fails or is broken off stops what it had started.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from deploy.errors import Code, DeployError
from deploy.services import records
from deploy.services.ports import require_free
from shared_model.files import naming_disk_errors

START_SECONDS, STOP_SECONDS = 600.0, 30.0  # on a busy machine
_LOOK = 0.1


@dataclass(frozen=True)
class Service:
    """One process. listens: host and port that must be free for it. ready: whether it does its work already."""

    name: str
    command: Sequence[str]
    ready: Callable[[], bool]
    listens: tuple[str, int] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


class Services:
    """The processes whose records and logs lie in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()

    def log(self, name: str) -> Path:
        """Where a service writes."""
        return self.folder / f"{name}.log"

    def running(self, name: str) -> psutil.Process | None:
        """The process of a service, None where it does not run."""
        record = records.read(self._record(name))
        return None if record is None else record.process()

    def known(self) -> list[str]:
        """Names of the services that were started here and not stopped."""
        return sorted(file.stem for file in self.folder.glob("*.pid"))

    def start(self, services: Sequence[Service], *, patience: float = START_SECONDS) -> list[str]:
        """Start those that do not run, one after the other, each once the one before is ready; their names.

        Raises DeployError where a port is taken or a process ends at once; what was started is stopped again.
        """
        with self._held():
            started: list[str] = []
            wanted = [service for service in services if self.running(service.name) is None]
            for service in wanted:
                self._stop(service.name, STOP_SECONDS)  # what a killed one has left
                if service.listens is not None:
                    require_free(*service.listens, of=service.name)
            try:
                for service in wanted:
                    started.append(service.name)
                    self._start(service, patience)
            except BaseException:
                for name in reversed(started):
                    self._stop(name, STOP_SECONDS)
                raise
            return started

    def stop(self, names: Sequence[str], *, patience: float = STOP_SECONDS) -> list[str]:
        """Stop these, and whatever they had started; the names of those that ran."""
        with self._held():
            return [name for name in names if self._stop(name, patience)]

    def reload(self, name: str) -> None:
        """Let a running proxy read its kit again."""
        if process := self.running(name):
            _signal(process, signal.SIGHUP)

    def _start(self, service: Service, patience: float) -> None:
        with naming_disk_errors(self.log(service.name)):
            descriptor = os.open(self.log(service.name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        before = os.fstat(descriptor).st_size
        try:
            process = subprocess.Popen(
                service.command,
                cwd=self.folder,
                env={**os.environ, **service.environment, records.MARK: str(self._record(service.name))},
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                start_new_session=True,
                umask=0o077,
            )
        except OSError as error:
            raise self._failed(service, before, os.strerror(error.errno or 0)) from None
        finally:
            os.close(descriptor)
        records.write(self._record(service.name), process.pid)
        until = time.monotonic() + patience
        while not service.ready():
            if (code := process.poll()) is not None:
                raise self._failed(service, before, f"it ended with exit code {code}")
            if time.monotonic() > until:
                raise self._failed(service, before, f"it was not ready within {patience:g} seconds")
            time.sleep(_LOOK)

    def _stop(self, name: str, patience: float) -> bool:
        record = records.read(self._record(name))
        if record is None:
            return False
        family = record.family()
        if leader := record.process():
            _signal(leader, signal.SIGTERM)
        psutil.wait_procs(family, timeout=patience)
        left = record.family()
        for process in left:
            _signal(process, signal.SIGKILL)
        _, alive = psutil.wait_procs(left, timeout=5.0)
        if any(process.status() != psutil.STATUS_ZOMBIE for process in alive if process.is_running()):
            raise DeployError(
                Code.NOT_STOPPED,
                f"{name} cannot be stopped",
                where=f"process {record.pid}",
                fix="see whether it belongs to another user, then stop it as that user",
            )
        self._record(name).unlink(missing_ok=True)
        return leader is not None

    def _failed(self, service: Service, before: int, why: str) -> DeployError:
        with self.log(service.name).open("rb") as stream:
            stream.seek(before)
            lines = stream.read().decode("utf-8", "replace").strip().splitlines()
        said = f": {lines[-1].strip()[:200]}" if lines else ""
        return DeployError(
            Code.NOT_STARTED,
            f"{service.name} did not start: {why}{said}",
            where=str(self.log(service.name)),
            fix="read that log, mend what it says, start again",
        )

    def _record(self, name: str) -> Path:
        return self.folder / f"{name}.pid"

    @contextmanager
    def _held(self) -> Iterator[None]:
        with naming_disk_errors(self.folder):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DeployError(
                    Code.BUSY,
                    "another command starts or stops these processes now",
                    where=str(self.folder),
                    fix="wait for it, then repeat",
                ) from None
            yield
        finally:
            os.close(descriptor)


def _signal(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.Error:
        return
