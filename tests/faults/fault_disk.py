"""A full disk: a small file system of its own where root may mount one, a limit on the size of files elsewhere."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil


def mounted(folder: Path, megabytes: int) -> bool:
    """Mount a file system of this size there; False where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    options = f"size={megabytes}m,mode=0700"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=False, capture_output=True
    )
    return done.returncode == 0


def unmounted(folder: Path) -> None:
    subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)


@contextmanager
def full(folder: Path, process: Callable[[], psutil.Process | None]) -> Iterator[str]:
    """Within, nothing can be written to `folder`; how that was done. process: who writes there."""
    if os.path.ismount(folder):
        filler = folder / ".filler"
        try:
            with filler.open("wb", buffering=0) as stream:
                while True:
                    stream.write(b"\0" * 4096)
        except OSError:
            pass
        try:
            yield "its file system is full"
        finally:
            filler.unlink(missing_ok=True)
        return
    found = process()
    assert found is not None
    before = resource.prlimit(found.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(found.pid, resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        yield "its files may not grow (RLIMIT_FSIZE)"
    finally:
        if found.is_running():
            resource.prlimit(found.pid, resource.RLIMIT_FSIZE, before)
