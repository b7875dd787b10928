"""Trunk features on disk: half-precision arrays under keys, appended to one file that is read through a memory map.

A journal beside the file says where each lies; an array is in the journal only once it is written, so that what was
finished before a crash is there after it. With a vault each is sealed, without one it carries a checksum: one that is
damaged, or lies where another belongs, is as good as none. No file is ever made shorter: another process that has it
mapped would be killed by its next read. Features are patients' data: readable by their owner only.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import struct
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from client.vault import OVERHEAD, Journal, Vault
from shared_model.errors import DataError
from shared_model.files import naming_disk_errors

FEATURES, INDEX = ".features", ".index"  # endings of the two files
IMAGE, TEXT = "image", "text"  # how their names begin
Half = NDArray[np.float16]
_RECORD = struct.Struct(">32sIQII16s")  # content, draw, offset, tokens, width, checksum (zeros where sealed)
_CHECKSUM_BYTES = 16
_AT_ONCE = 2**20  # bytes overwritten in one piece


class Key(NamedTuple):
    """content: SHA-256 of a photograph's file or of a note's tokens. draw: which changed version of it."""

    content: bytes
    draw: int = 0


class _Place(NamedTuple):
    offset: int
    tokens: int
    width: int
    checksum: bytes


class FeatureFile:
    """The file `name`.features in `folder`, made at the first `write`; `damaged` counts entries found to be so."""

    def __init__(self, folder: Path, name: str, vault: Vault | None = None) -> None:
        self.path = folder / f"{name}{FEATURES}"
        self.damaged = 0
        self._index = folder / f"{name}{INDEX}"
        self._name = name
        self._vault = vault
        self._journal = Journal(self._index, vault)
        self._places: dict[Key, _Place] = {}
        self._vacant: dict[int, list[int]] = {}  # length -> offsets of entries that were found damaged
        self._end = 0  # of the last array
        self._map: NDArray[np.uint8] | None = None
        self._descriptor = -1
        self._seen: tuple[int, ...] | None = None  # which index file was read, and how it stood
        self._usable = self._refresh()

    def __contains__(self, key: Key) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._places)

    @property
    def usable(self) -> bool:
        """Whether the journal could be read; if not, the next `writing` begins the file anew."""
        return self._usable

    @property
    def size(self) -> int:
        """Disk space of both files in bytes."""
        return sum(path.stat().st_size for path in (self.path, self._index) if path.exists())

    def entry_bytes(self, tokens: int, width: int) -> int:
        """Disk space of one array (tokens, width), its line in the journal included."""
        return 2 * tokens * width + (2 * OVERHEAD if self._vault is not None else 0) + _RECORD.size + 12

    @property
    def spare(self) -> int:
        """Bytes behind the last array, which the next writes take before the file grows."""
        return max(0, self.path.stat().st_size - self._end) if self.path.exists() else 0

    def growth(self, tokens: int, width: int) -> int:
        """What of `entry_bytes` is not in the files yet: less in a damaged entry's place and in `spare`."""
        length = self._length(_Place(0, tokens, width, b""))
        there = length if self._vacant.get(length) else min(length, self.spare)
        return self.entry_bytes(tokens, width) - there

    def read(self, key: Key) -> Half | None:
        """A copy (tokens, width); None where it is not there or damaged, which is then forgotten."""
        place = self._places.get(key)
        if place is None:
            return None
        found: Half = np.empty((place.tokens, place.width), dtype=np.float16)
        if self._fill(found, key, place):
            return found
        self.damaged += 1
        del self._places[key]
        self._vacant.setdefault(self._length(place), []).append(place.offset)
        return None

    @contextmanager
    def writing(self, *, wait: bool = True) -> Iterator[bool]:
        """Keep other processes from writing, and see what they wrote before; whether that was possible.

        wait: for a process that writes now. Raises RunError where the disk or the folder refuses.
        """
        with naming_disk_errors(self.path):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = self._locked(wait)
        if self._descriptor < 0:
            yield False
            return
        try:
            if not self._refresh() and not self._usable:
                self._begin_anew()
            yield True
        finally:
            self._seen = self._standing()
            os.close(self._descriptor)
            self._descriptor = -1

    def write(self, key: Key, features: Half) -> None:
        """Keep an array (tokens, width) within `writing`. Raises RunError where the disk refuses."""
        tokens, width = features.shape
        content = np.ascontiguousarray(features).tobytes()
        label, checksum = self._label(key, tokens, width), bytes(_CHECKSUM_BYTES)
        if self._vault is not None:
            content = self._vault.seal(content, label)
        else:
            checksum = _checksum(label, content)
        offset = self._free(len(content))
        with naming_disk_errors(self.path):
            _write_at(self._descriptor, content, offset)
        place = _Place(offset, tokens, width, checksum)
        self._journal.append(_RECORD.pack(*key, *place))
        self._places[key] = place

    def keep_only(self, contents: Collection[bytes]) -> int:
        """Overwrite whatever is not the features of these contents, what a crash left included; how many went.

        What lay at the end is taken by the next writes: the file keeps its length, or is a new one if nothing stays.
        """
        with self.writing():
            kept = {key: place for key, place in self._places.items() if key.content in contents}
            gone = len(self._places) - len(kept)
            end = 0
            with naming_disk_errors(self.path):
                for place in sorted(kept.values()):
                    _clear(self._descriptor, end, place.offset)
                    end = place.offset + self._length(place)
                _clear(self._descriptor, end, os.fstat(self._descriptor).st_size)
                os.fsync(self._descriptor)
            if not kept:
                self._begin_anew()
            elif gone:
                self._journal.rewrite(_RECORD.pack(*key, *place) for key, place in kept.items())
            self._places, self._map, self._vacant, self._end = kept, None, {}, end
        return gone

    def discard(self) -> None:
        """Remove both files."""
        self.close()
        for path in (self._index, self.path):
            path.unlink(missing_ok=True)
        self._places, self._end, self._seen, self._usable = {}, 0, None, True

    def close(self) -> None:
        """Let go of the files; they are opened again when they are needed."""
        self._journal.close()
        self._map = None

    def _fill(self, found: Half, key: Key, place: _Place) -> bool:
        stored = self._stored(place)
        if stored is None:
            return False
        label = self._label(key, place.tokens, place.width)
        if self._vault is not None:
            try:
                self._vault.open_into(stored, label, found.reshape(-1).view(np.uint8).data)
            except DataError:
                return False
            return True
        found.reshape(-1).view(np.uint8)[:] = np.frombuffer(stored, dtype=np.uint8)
        return _checksum(label, found.reshape(-1).view(np.uint8).data) == place.checksum

    def _stored(self, place: _Place) -> memoryview | None:
        end = place.offset + self._length(place)
        if self._map is None or end > len(self._map):
            try:
                self._map = np.memmap(self.path, dtype=np.uint8, mode="r")
            except (OSError, ValueError):  # absent or empty
                return None
        return self._map[place.offset : end].data if end <= len(self._map) else None

    def _refresh(self) -> bool:
        """Read the journal if it is not as it was left here; whether it could be read."""
        known = self._standing()
        if known is not None and known == self._seen:
            return True
        self._journal.close()
        self._places, self._map, self._vacant, self._end = {}, None, {}, 0
        try:
            for record in self._journal.records():
                content, draw, *found = _RECORD.unpack(record)
                place = self._places[Key(content, draw)] = _Place(*found)
                self._end = max(self._end, place.offset + self._length(place))
        except (DataError, struct.error):
            self._places, self._end, self._usable = {}, 0, False
            self.damaged += 1
            return False
        self._seen, self._usable = known, True
        return True

    def _begin_anew(self) -> None:
        """A new file in place of one that others may have mapped, who read on in the old one. It is locked before it
        has the name, so that who waits for the old one then waits for this one.
        """
        self._journal.close()
        with naming_disk_errors(self.path):
            descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                os.replace(name, self.path)
                self._index.unlink(missing_ok=True)
            except BaseException:
                os.close(descriptor)
                Path(name).unlink(missing_ok=True)
                raise
        os.close(self._descriptor)
        self._descriptor = descriptor
        self._places, self._map, self._vacant, self._end, self._usable = {}, None, {}, 0, True

    def _standing(self) -> tuple[int, ...] | None:
        """Of the journal; its times too, since the file system gives a number that is free to the next file."""
        try:
            found = self._index.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

    def _locked(self, wait: bool) -> int:
        while True:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
                if os.path.samestat(os.fstat(descriptor), os.stat(self.path)):
                    return descriptor
            except BlockingIOError:
                os.close(descriptor)
                return -1
            except FileNotFoundError:  # removed while waiting for it
                pass
            os.close(descriptor)

    def _free(self, length: int) -> int:
        if self._vacant.get(length):
            return self._vacant[length].pop()
        offset, self._end = self._end, self._end + length
        return offset

    def _length(self, place: _Place) -> int:
        return 2 * place.tokens * place.width + (OVERHEAD if self._vault is not None else 0)

    def _label(self, key: Key, tokens: int, width: int) -> str:
        return f"features/{self._name}/{key.content.hex()}/{key.draw}/{tokens}x{width}"


def names_in(folder: Path) -> list[str]:
    """The names of the feature files in a folder, those of which a part is missing included."""
    return sorted({path.stem for ending in (FEATURES, INDEX) for path in folder.glob(f"[!.]*{ending}")})


def _checksum(label: str, content: Any) -> bytes:
    digest = hashlib.sha256(label.encode())
    digest.update(content)
    return digest.digest()[:_CHECKSUM_BYTES]


def _write_at(descriptor: int, content: bytes, offset: int) -> None:
    view = memoryview(content)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def _clear(descriptor: int, start: int, end: int) -> None:
    for offset in range(start, end, _AT_ONCE):
        _write_at(descriptor, bytes(min(_AT_ONCE, end - offset)), offset)
