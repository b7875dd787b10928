"""Reads photographs in parallel and in order, decoding only those that an earlier store does not already hold.

Decoding is done by worker processes: whatever a file does to its decoder, the others are read. A photograph is
taken over where its file has the path, size and time of modification it had when it was read; a file that was only
copied or touched is told by its SHA-256, which costs reading it but not decoding it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from client.data.image_index import ImageIndex, Photograph
from client.data.pixel_worker import GONE, HEAD, NO_DIGEST, PIXELS, REFUSED
from client.data.pixels import Array, Pixels
from client.isolation.pool import CRASHED, Answer, Failure, Pool
from shared_model.errors import DataError

WORKER = "client.data.pixel_worker"
WINDOW = 256  # photographs in memory while the first of them is waited for: 40 MB at 224 pixels
REASON_BYTES = 1000

Reading = tuple[Photograph, Array | None]  # no pixels where the photograph has a problem


class Earlier:
    """What the store that is to be replaced still gives. made: when it was written, nanoseconds since 1970."""

    def __init__(self, index: ImageIndex | None, pixels: Pixels | None, made: int) -> None:
        self.index = index
        self._pixels = pixels
        self._made = made
        self._known: dict[str, tuple[int, Photograph]] = {}
        self._looked_at: dict[str, Photograph | None] = {}
        self._taken = False
        if index is not None:
            self._known = {one.record: (-1, one) for one in index.unreadable}
            self._known |= {one.record: (position, one) for position, one in enumerate(index.kept)}

    def made(self) -> int | None:
        """When the oldest photograph that was taken over was written; None where none was."""
        return self._made if self._taken else None

    def refreshed(self, wanted: Sequence[Photograph]) -> ImageIndex | None:
        """The index with the files' present paths and times, where it holds exactly the wanted ones in this order."""
        if self.index is None or {one.record for one in wanted} != set(self._known):
            return None
        with ThreadPoolExecutor() as pool:
            found = [one for one in pool.map(self.unchanged, wanted) if one is not None]
        kept = tuple(one for one in found if not one.problem)
        if len(found) < len(wanted) or [one.record for one in kept] != [
            one.record for one in self.index.kept
        ]:
            return None
        return replace(self.index, kept=kept, unreadable=tuple(one for one in found if one.problem))

    def is_whole(self) -> bool:
        """Whether every sealed photograph opens; reads them all."""
        if self.index is None or self._pixels is None:
            return False
        try:
            for position in range(len(self.index.kept)):
                self._pixels.batch(np.array([position]))
        except DataError:
            return False
        return True

    def unchanged(self, wanted: Photograph) -> Photograph | None:
        """What is known of a photograph whose file is the one that was read, else None."""
        if wanted.record not in self._looked_at:
            self._looked_at[wanted.record] = self._look(wanted)
        return self._looked_at[wanted.record]

    def reading(self, wanted: Photograph) -> Reading | None:
        """The photograph as the earlier store has it; None where it must be read anew."""
        known = self.unchanged(wanted)
        if known is None or self._pixels is None:
            return None
        if known.problem:
            return known, None
        try:
            position = self._known[wanted.record][0]
            pixels = self._pixels.batch(np.array([position]))[0]
        except DataError:  # damaged: the photograph itself is still there
            return None
        self._taken = True
        return known, pixels

    def _look(self, wanted: Photograph) -> Photograph | None:
        _, known = self._known.get(wanted.record, (-1, None))
        if known is None or known.source is None or wanted.source is None:
            return None
        if (known.path, known.source) != (wanted.path, wanted.source) and (
            known.source.bytes != wanted.source.bytes or _digest(wanted.path) != known.digest
        ):
            return None
        return replace(known, patient=wanted.patient, path=wanted.path, source=wanted.source)


def readings(wanted: Sequence[Photograph], size: int, workers: int, earlier: Earlier) -> Iterator[Reading]:
    """Every wanted photograph with its digest and pixels, or with its problem, in order; few in memory at once."""
    most = HEAD.size + 3 * size * size + REASON_BYTES
    with (
        Pool(WORKER, workers, arguments=(str(size),), answer_bytes=most) as pool,
        ThreadPoolExecutor(workers) as lookers,
    ):
        for start in range(0, len(wanted), WINDOW):
            window = wanted[start : start + WINDOW]
            held = dict(
                zip((one.record for one in window), lookers.map(earlier.reading, window), strict=True)
            )
            paths = dict.fromkeys(one.path for one in window if held[one.record] is None)
            answers = dict(pool.answers(list(paths)))
            for one in window:
                yield held[one.record] or _understood(one, answers[one.path], size)


def _understood(wanted: Photograph, answer: Answer, size: int) -> Reading:
    """What a worker, which a hostile photograph may have taken over, says of a file."""
    gone = replace(wanted, source=None)  # looked for again next time, whatever the file's time says
    if isinstance(answer, Failure):
        return replace(gone, problem=answer.reason), None
    if len(answer) < HEAD.size:
        return replace(gone, problem=CRASHED), None
    kind, raw = HEAD.unpack_from(answer)
    content, digest = answer[HEAD.size :], "" if raw == NO_DIGEST else raw.hex()
    if kind == PIXELS and len(content) == 3 * size * size:
        pixels = np.frombuffer(content, np.uint8).reshape(3, size, size)
        return replace(wanted, digest=digest), pixels
    if kind in (REFUSED, GONE) and 0 < len(content) <= REASON_BYTES:
        base = wanted if kind == REFUSED else gone
        return replace(base, digest=digest, problem=content.decode("utf-8", "replace")), None
    return replace(gone, problem=CRASHED), None


def _digest(path: str) -> str | None:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
