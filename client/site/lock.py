"""One command of a site at a time: a lock on a file that the operating system lets go of when its holder dies.

flock, because it leaves nothing to clean up after a crash. A process forked from the holder gives its copy of
the file up at once, so that a lock never outlives the command in one of its helpers.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shared_model.errors import RunError
from shared_model.files import naming_disk_errors

_INTERVAL = 0.1  # seconds between two tries
_held: set[int] = set()  # descriptors of the locks that this process holds


class SiteBusy(RunError):
    """Another command of the site holds its lock. holder: which, and its process."""

    def __init__(self, holder: str, *, where: str, fix: str = "") -> None:
        super().__init__(
            f"Another command of this site is running ({holder}).",
            where=where,
            fix=fix or "Wait until it ends, or stop it; then run this command again.",
        )
        self.holder = holder


class SiteLock:
    """The lock file at `path`. The same object may be locked again while it holds the lock."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads = threading.RLock()
        self._depth = 0

    @contextmanager
    def hold(
        self, command: str, *, wait: float = 0.0, waiting: Callable[[str], None] = lambda holder: None
    ) -> Iterator[None]:
        """Hold the lock under the command's name.

        wait: seconds to wait for another holder. waiting: told who that is, once, where there is a wait at all.
        Raises SiteBusy, which names it, where it does not let go, and RunError where there can be no lock.
        """
        with self._threads:
            descriptor = self._wait(command, wait, waiting) if self._depth == 0 else -1
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if descriptor >= 0:
                    _held.discard(descriptor)
                    os.ftruncate(descriptor, 0)
                    os.close(descriptor)

    def _wait(self, command: str, seconds: float, waiting: Callable[[str], None]) -> int:
        deadline, told = time.monotonic() + seconds, False
        while True:
            try:
                return self._take(command)
            except SiteBusy as busy:
                if time.monotonic() >= deadline:
                    raise
                if not told:
                    waiting(busy.holder)
                told = True
                time.sleep(_INTERVAL)

    def _take(self, command: str) -> int:
        while True:
            with naming_disk_errors(self._path):
                descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self._is_current(descriptor):
                    os.ftruncate(descriptor, 0)
                    with suppress(
                        OSError
                    ):  # on a full disk the lock holds without the name, so that purge works
                        os.pwrite(descriptor, f"{command}, process {os.getpid()}\n".encode(), 0)
                    _held.add(descriptor)
                    return descriptor
            except OSError as error:
                holder = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip()
                os.close(descriptor)
                raise self._refusal(error, holder) from None
            os.close(descriptor)

    def _is_current(self, descriptor: int) -> bool:
        """Whether the file still lies at its path; purge removes it while others may be waiting."""
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self._path))
        except FileNotFoundError:
            return False

    def _refusal(self, error: OSError, holder: str) -> RunError:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            return RunError(
                f"The state folder cannot be locked: {os.strerror(error.errno or 0)}.",
                where=str(self._path),
                fix="Keep the state folder on a local disk ([storage] state in site.toml).",
            )
        return SiteBusy(holder or "just starting", where=str(self._path))


def _forget_after_fork() -> None:
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_forget_after_fork)
