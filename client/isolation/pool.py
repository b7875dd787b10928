"""Worker processes that read files, and survive what the files do to them.

A worker that dies or hangs costs the file it was at and nothing else: whatever it had not answered is read
again, one file at a time, until the guilty one is alone. Workers are plain interpreters that import little (no
torch, no command line), speak in bytes and never see Ctrl-C, which is the parent's to handle.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import client
from client.isolation.serve import LENGTH
from shared_model.errors import RunError

MEMORY_BYTES = 4 * 2**30  # 100 million pixels of the deepest kind take 2 GB to bring to 8 bits
FILE_SECONDS = 60.0  # the same, on a slow disk, takes ten
CRASHED = "the decoder crashed on this file"
TOO_SLOW = f"decoding it takes more than {FILE_SECONDS:.0f} seconds"

_CHUNK_FILES = 16
_CHUNK_BYTES = 16_384  # two chunks fit into a pipe, so that writing them never waits
_MOST_FAILED_STARTS = 3
ANSWER_BYTES = _READ_BYTES = 2**20
_ROOT = Path(client.__file__).resolve().parents[1]
_TICK = 0.5  # seconds between looks at the clock


@dataclass(frozen=True)
class Failure:
    """No answer for a file, and why."""

    reason: str


Answer = bytes | Failure


@dataclass(eq=False)
class _Worker:
    process: subprocess.Popen[bytes]
    open: deque[str] = field(default_factory=deque)  # handed over, not answered yet
    received: bytearray = field(default_factory=bytearray)
    ready: bool = False
    alone: bool = False  # whether it was handed a single suspect
    heard: float = field(default_factory=time.monotonic)

    def fileno(self) -> int:
        assert self.process.stdout is not None
        return self.process.stdout.fileno()


class Pool:
    """`processes` workers running `python -m module`, which must call client.isolation.serve.serve.

    Use it as a context; leaving it ends the workers at once. seconds: the longest a single file may take.
    memory: bytes a worker may take. arguments: of the worker's command line, after its memory. answer_bytes: the
    longest answer that is believed.
    """

    def __init__(
        self,
        module: str,
        processes: int,
        *,
        seconds: float = FILE_SECONDS,
        memory: int = MEMORY_BYTES,
        arguments: Sequence[str] = (),
        answer_bytes: int = ANSWER_BYTES,
    ) -> None:
        self._command = [sys.executable, "-S", "-P", "-m", module, str(memory), *arguments]
        self._answer_bytes = answer_bytes
        path = os.pathsep.join([str(_ROOT), *(entry for entry in sys.path if os.path.isabs(entry))])
        # -S and this path: what `site` runs for every installed package takes as long as reading a hundred files.
        self._environment = {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}
        self._processes = processes
        self._seconds = seconds
        self._workers: set[_Worker] = set()
        self._failed_starts = 0
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in list(self._workers):
            self._end(worker)
        self._selector.close()

    def answers(self, paths: Sequence[str]) -> Iterator[tuple[str, Answer]]:
        """Every path with its answer, in the order they come. Raises RunError where no worker can be started."""
        waiting, suspects = deque(paths), deque[str]()
        while waiting or suspects or any(worker.open for worker in self._workers):
            self._start(len(waiting) + len(suspects))
            for worker in self._workers:
                self._feed(worker, waiting, suspects)
            for key, _ in self._selector.select(_TICK):
                worker = key.fileobj  # type: ignore[assignment]
                yield from self._receive(worker, suspects)
            late = time.monotonic() - self._seconds
            for worker in [w for w in self._workers if w.open and w.heard < late]:
                yield from self._lost(worker, suspects, TOO_SLOW)

    def _start(self, files: int) -> None:
        while len(self._workers) < self._processes and files > 0:
            try:
                process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=self._environment,
                    process_group=0,  # Ctrl-C in the terminal is not theirs
                )
            except OSError as error:
                raise _no_worker(os.strerror(error.errno or 0)) from None
            worker = _Worker(process)
            os.set_blocking(worker.fileno(), False)
            self._workers.add(worker)
            self._selector.register(worker, selectors.EVENT_READ)
            files -= _CHUNK_FILES

    def _feed(self, worker: _Worker, waiting: deque[str], suspects: deque[str]) -> None:
        """Keep up to two chunks with a worker; a suspect is given to one that has nothing else."""
        if suspects and not worker.open:
            worker.alone = True
            self._send(worker, [suspects.popleft()])
        while waiting and not worker.alone and len(worker.open) <= _CHUNK_FILES:
            chunk, size = [waiting.popleft()], 0
            while waiting and len(chunk) < _CHUNK_FILES and size < _CHUNK_BYTES // 2:
                chunk.append(waiting.popleft())
                size += len(os.fsencode(chunk[-1]))
            self._send(worker, chunk)

    def _send(self, worker: _Worker, paths: list[str]) -> None:
        if not worker.open:
            worker.heard = time.monotonic()
        worker.open.extend(paths)
        content = b"\0".join(os.fsencode(path) for path in paths)
        assert worker.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has died; the end of its output tells the rest
            worker.process.stdin.write(LENGTH.pack(len(content)) + content)
            worker.process.stdin.flush()

    def _receive(self, worker: _Worker, suspects: deque[str]) -> Iterator[tuple[str, Answer]]:
        if worker not in self._workers:
            return
        try:
            content = os.read(worker.fileno(), _READ_BYTES)
        except BlockingIOError:
            return
        worker.received += content
        worker.heard = time.monotonic()
        while len(worker.received) >= LENGTH.size:
            (length,) = LENGTH.unpack_from(worker.received)
            if length > self._answer_bytes or (worker.ready and not worker.open):
                content = b""  # not an answer: the worker is no longer ours
                break
            if len(worker.received) < LENGTH.size + length:
                break
            answer = bytes(worker.received[LENGTH.size : LENGTH.size + length])
            del worker.received[: LENGTH.size + length]
            if worker.ready:
                yield worker.open.popleft(), answer
                worker.alone = worker.alone and bool(worker.open)
            worker.ready = True
            self._failed_starts = 0
        if not content:
            yield from self._lost(worker, suspects, CRASHED)

    def _lost(self, worker: _Worker, suspects: deque[str], reason: str) -> Iterator[tuple[str, Answer]]:
        self._end(worker)
        if not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= _MOST_FAILED_STARTS:
                raise _no_worker("they end before they are ready")
        if worker.alone and worker.ready:
            yield worker.open.popleft(), Failure(reason)
        suspects.extend(worker.open)

    def _end(self, worker: _Worker) -> None:
        self._workers.discard(worker)
        self._selector.unregister(worker)
        worker.process.kill()
        for stream in (worker.process.stdin, worker.process.stdout):
            assert stream is not None
            with contextlib.suppress(OSError):  # what was still to be written has no reader any more
                stream.close()
        with contextlib.suppress(subprocess.TimeoutExpired):  # stuck in the kernel, on a disk that is gone
            worker.process.wait(timeout=1)


def _no_worker(why: str) -> RunError:
    return RunError(
        f"The processes that read photographs do not start: {why}.",
        where=sys.executable,
        fix="Check the installation and the limits on memory and processes.",
    )
