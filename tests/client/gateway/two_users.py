"""Commands under another user, with or without a network: what the service files ask of systemd, made by hand."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

WORKER, GATEWAY, STRANGER = 47001, 47002, 47003  # users
GROUP, NOBODYS = 47000, 47009  # the group of worker and gateway, and another

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "setpriv", "nsenter"))),
    reason="needs root with unshare, nsenter and setpriv, to take on two users and a namespace without network",
)
# Where the interpreter lies in a closed folder (root's home), a private view of it is opened to everybody.
_OPEN = """
set -e
if [ -n "$1" ]; then
  mount --make-rprivate /
  mount --bind "$2" /mnt
  mount -t tmpfs -o mode=755 none "$1"
  mkdir -p "$2"
  mount --move /mnt "$2"
fi
shift 2
exec "$@"
"""


def as_user(user: int, group: int, *command: str, network: bool = True) -> list[str]:
    """The command line that runs `command` as this user. network: whether it has one."""
    apart = ["unshare", "--mount", *([] if network else ["--net"])]
    dropped = [
        "setpriv",
        f"--reuid={user}",
        f"--regid={group}",
        "--clear-groups",
        "--no-new-privs",
        "--bounding-set=-all",
    ]
    return [*apart, "sh", "-c", _OPEN, "sh", _closed(), sys.base_prefix, *dropped, *command]


def run_as(user: int, group: int, program: str, *arguments: str) -> tuple[int, str]:
    """A Python program as this user: its exit code and what it wrote."""
    command = as_user(user, group, sys.executable, "-c", program, *arguments)
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd="/")
    return done.returncode, done.stdout + done.stderr


def _closed() -> str:
    """The outermost folder above the interpreter that others may not enter; "" where there is none."""
    above = [path for path in Path(sys.base_prefix).parents if not path.stat().st_mode & 0o001]
    return str(above[-1]) if above else ""
