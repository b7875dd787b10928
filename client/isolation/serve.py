"""The worker's side of the reading pool: paths in on standard input, answers out on standard output.

A photograph may come from anywhere, and a decoder may crash or grow without bound on it; hence a process of its
own with a ceiling on its memory. Only the standard library is imported here: workers start in a moment.
A frame is four bytes of length and the content; paths are separated by NUL, and an answer is what the task
returned. The worker ends when its input does, so none outlives the process that started it by more than a file.
"""

from __future__ import annotations

import os
import struct
import sys
import time
from collections.abc import Callable

LENGTH = struct.Struct(">I")
READY = b""  # the first frame: the worker has started
_HOLD_SECONDS = 0.05  # answers are held back this long, to be written together
_HOLD_BYTES = 32_768  # below what a pipe takes without waiting


def serve(task: Callable[[str], bytes]) -> None:
    """Answer until the input ends. The first argument of the command line is the memory ceiling in bytes."""
    _limit(int(sys.argv[1]))
    answers, source = os.dup(1), sys.stdin.buffer
    os.dup2(2, 1)  # whatever a decoder prints must not get between the answers
    _write(answers, LENGTH.pack(len(READY)) + READY)
    while head := source.read(LENGTH.size):
        paths = source.read(LENGTH.unpack(head)[0]).split(b"\0")
        held, since = bytearray(), time.monotonic()
        for path in paths:
            answer = task(os.fsdecode(path))
            held += LENGTH.pack(len(answer)) + answer
            if len(held) > _HOLD_BYTES or time.monotonic() - since > _HOLD_SECONDS:
                _write(answers, held)
                held, since = bytearray(), time.monotonic()
        _write(answers, held)


def _limit(memory: int) -> None:
    try:
        import resource
    except ImportError:  # not on every system; the time limit still holds
        return
    for what, value in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_AS, memory)):
        _, hard = resource.getrlimit(what)
        capped = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(what, (capped, capped))
        except (ValueError, OSError):  # macOS refuses RLIMIT_AS
            continue


def _write(descriptor: int, content: bytes | bytearray) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
