"""A member's processes without a service manager: each in a session of its own, with a record and a log in one folder.

What `start` and `stop` of the coordinator and of a site stand on. They start what does not run and leave alone what
does, so that they may be repeated; nothing is watched or started again by itself, which is a service manager's work
(the kit has service files). A start that fails or is broken off stops what it had started.
"""

from __future__ import annotations

import fcntl
import os
import shlex
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
    """One process. listens: host and port that must be free for it. ready: whether it does its work already.

    through: a command that starts the command, and takes something from it. check: raises where its configuration
    cannot be used.
    """

    name: str
    command: Sequence[str]
    ready: Callable[[], bool]
    listens: tuple[str, int] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    through: Sequence[str] = ()
    check: Callable[[], None] | None = None


class Services:
    """The processes whose records and logs lie in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()

    def log(self, name: str) -> Path:
        """Where a service writes."""
        return self.folder / f"{name}.log"

    def running(self, name: str) -> psutil.Process | None:
        """The process of a service, None where it does not run."""
        record = self.record(name)
        return None if record is None else record.process()

    def record(self, name: str) -> records.Record | None:
        """What is known of a service's process; None where none was started here, or it was stopped."""
        return records.read(self._record(name))

    def known(self) -> list[str]:
        """Names of the services that were started here and not stopped."""
        return sorted(file.stem for file in self.folder.glob("*.pid"))

    def start(self, services: Sequence[Service], *, patience: float = START_SECONDS) -> list[str]:
        """Start those that do not run, one after the other, each once the one before is ready; their names.

        Raises DeployError where one runs by another command than is given here, a configuration cannot be used, a port
        is taken, or a process ends at once; what was started is stopped again.
        """
        with self._held():
            started: list[str] = []
            self.require_same(services)
            wanted = [service for service in services if self.running(service.name) is None]
            for service in wanted:
                self._stop(service.name, STOP_SECONDS)  # what a killed one has left
                if service.listens is not None:
                    require_free(*service.listens, of=service.name)
            for service in services:  # also of those that run, and are to read it again
                if service.check is not None:
                    service.check()
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

    def require_same(self, services: Sequence[Service]) -> None:
        """Raise DeployError where one of these runs by another command, such as one with another kit."""
        for service in services:
            record = self.record(service.name)
            if record is None or not record.command or (process := record.process()) is None:
                continue
            if record.command != tuple(service.command):
                raise _another(service, record.command, process.pid)

    def reload(self, name: str) -> None:
        """Let a running proxy read its kit again, whose configuration `start` has checked."""
        if process := self.running(name):
            _signal(process, signal.SIGHUP)

    def _start(self, service: Service, patience: float) -> None:
        with naming_disk_errors(self.log(service.name)):
            descriptor = os.open(self.log(service.name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        before = os.fstat(descriptor).st_size
        try:
            process = subprocess.Popen(
                [*service.through, *service.command],
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
        try:
            records.write(self._record(service.name), process.pid, tuple(service.command), before)
        except BaseException:  # without a record nobody would know of it
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        until = time.monotonic() + patience
        while not service.ready():
            if (code := process.poll()) is not None:
                raise self._failed(service, before, f"it ended with exit code {code}")
            if time.monotonic() > until:
                raise self._failed(service, before, f"it was not ready within {patience:g} seconds")
            time.sleep(_LOOK)

    def _stop(self, name: str, patience: float) -> bool:
        record = self.record(name)
        if record is None:
            return False
        if record.doubtful():
            raise _old_record(name, record.pid, self._record(name))
        family = record.family()
        leader = record.process()
        for process in family if leader is None else [leader]:  # which ends its own
            _signal(process, signal.SIGTERM)
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


def _another(service: Service, runs: tuple[str, ...], pid: int) -> DeployError:
    """Which words of the command differ is what the operator wants to know."""
    asked = tuple(service.command)
    pairs = [(one, other) for one, other in zip(runs, asked, strict=False) if one != other]
    pairs = pairs if len(runs) == len(asked) else [(shlex.join(runs), shlex.join(asked))]
    differs = "; ".join(f"it runs with {one}, this start asks for {other}" for one, other in pairs)
    return DeployError(
        Code.OTHER_COMMAND,
        f"the {service.name} that runs was started with another kit or with other options",
        where=f"process {pid}: {differs}",
        fix=f"it was left as it is: stop {service.name} first (fedfundus-site stop, or fedfundus-coordinator "
        "shutdown), then start again",
    )


def _old_record(name: str, pid: int, file: Path) -> DeployError:
    return DeployError(
        Code.OLD_RECORD,
        f"an earlier release of FedFundus started {name}, and its record does not tell whether process {pid} is it",
        where=str(file),
        fix=f"see what it is (ps -fp {pid}); if it is {name}, kill {pid}; then delete that file and repeat this",
    )


def _signal(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.Error:
        return
