"""The socket as a file: who may open it, and that no second worker takes its place.

Whoever can open it can ask the worker's questions, so it is closed to everybody but its owner from the first moment,
and opened to one group where gateway and worker are two users. A lock beside it tells a worker that is running from
one that was killed and left its socket behind.
"""

from __future__ import annotations

import fcntl
import grp
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared_model.errors import ConfigError, RunError
from shared_model.files import naming_disk_errors

LONGEST_PATH = 100  # bytes; the system ends at 107


class SocketFile:
    """The socket at `path`. group: of the gateway's user, where it is another than the worker's."""

    def __init__(self, path: Path, group: str = "") -> None:
        self.path = path.absolute()
        if len(os.fsencode(self.path)) > LONGEST_PATH:
            raise ConfigError(
                f"the socket's path is longer than {LONGEST_PATH} bytes, which the system does not allow",
                where=str(self.path),
                fix="choose a shorter one with --socket",
            )
        self._group = _group_id(group) if group else None

    @property
    def address(self) -> str:
        """As gRPC writes it."""
        return f"unix:{self.path}"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other workers away from this socket. Raises RunError where one is running."""
        beside = self.path.with_name(f"{self.path.name}.lock")
        with naming_disk_errors(beside):
            descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunError(
                    "another worker is running at this socket",
                    where=str(self.path),
                    fix="stop it, or give this one a socket of its own with --socket",
                ) from None
            self._remove_left_over()
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def closed_to_others(self) -> Iterator[None]:
        """Files made meanwhile are 0600."""
        before = os.umask(0o177)
        try:
            yield
        finally:
            os.umask(before)

    def open_to_group(self) -> None:
        """0660 for the gateway's group, where there is one. Raises RunError where this user may not."""
        if self._group is None:
            return
        with naming_disk_errors(self.path):
            os.chown(self.path, -1, self._group)
            self.path.chmod(0o660)

    def refused(self) -> RunError:
        """What to say where the socket cannot be made."""
        return RunError(
            "the socket cannot be made",
            where=str(self.path),
            fix="its folder must exist and be writable for the worker's user (RuntimeDirectory= in the service file)",
        )

    def _remove_left_over(self) -> None:
        try:
            mode = self.path.lstat().st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(mode):
            raise ConfigError(
                "there is another file at the socket's place",
                where=str(self.path),
                fix="choose another with --socket",
            )
        with naming_disk_errors(self.path):
            self.path.unlink()


def _group_id(name: str) -> int:
    if name.isdecimal():  # a container knows groups by number alone
        return int(name)
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise ConfigError(
            f"there is no group {name!r} on this machine",
            where="--socket-group",
            fix="make it, or name another",
        ) from None
