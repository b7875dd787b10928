"""An append-only file of records that survives a crash in the middle of a write.

A record is framed by its length, a check of that length, and then either its sealed content (the sequence number
and the journal's own random name are in the label, so that a record moved, repeated or taken out of the middle is
noticed) or a check and the plain content. A write that was cut off leaves a torn end, which is dropped; anything
else that does not fit is an error. Whoever may write the file can still cut records off its end unnoticed.
"""

from __future__ import annotations

import os
import struct
import time
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from client.vault.vault import Vault
from shared_model.errors import DataError
from shared_model.files import naming_disk_errors, write_bytes

_MAGIC = b"FFJ\x01"
_HEADER = struct.Struct(">4s16sQ")  # magic, random name of the journal, made at (seconds since 1970)
_FRAME = struct.Struct(">II")  # length of the record, check of name, sequence number and length
_CHECK = struct.Struct(">I")  # of a plain content
_MAXIMUM = 2**31 - 1


@dataclass(frozen=True)
class _Read:
    """One whole record and where the next begins."""

    content: bytes
    end: int


class Journal:
    """Records in `path`, sealed with the vault or, without one, plain (simulation).

    durable: whether an append returns only once the disk has it, not merely the operating system; it costs
    milliseconds. One process may append at a time (the site's lock sees to that).
    """

    def __init__(self, path: Path, vault: Vault | None, *, durable: bool = False) -> None:
        self.path = path
        self._vault = vault
        self._durable = durable
        self._stream: BinaryIO | None = None
        self._header = b""
        self._count = 0
        self._left: tuple[int, ...] = ()  # the file as this object's last append left it

    def append(self, content: bytes) -> None:
        """Add one record. Raises DataError where the journal is damaged and RunError where the disk is full."""
        if len(content) > _MAXIMUM:
            raise ValueError("a record of a journal has at most 2 GiB")
        try:
            with naming_disk_errors(self.path):
                stream = self._opened()
                _write_all(stream, self._framed(self._header, self._count, content))
                if self._durable:
                    os.fsync(stream.fileno())
                left = _as_it_stands(os.fstat(stream.fileno()))
        except BaseException:
            self.close()  # a part may be written: the next append looks again and cuts it off
            self._left = ()
            raise
        self._count += 1
        self._left = left

    def untouched(self) -> bool:
        """Whether nobody has written since this object's last append: what was read before stands as it was."""
        try:
            return bool(self._left) and self._left == _as_it_stands(self.path.stat())
        except OSError:
            return False

    def records(self) -> Iterator[bytes]:
        """The contents in the order they were added. Raises DataError where anything but the end is damaged."""
        for read in self._walk():
            yield read.content

    def made(self) -> float | None:
        """When the journal was begun, in seconds since 1970; None where it does not exist."""
        header = self._read_header()
        return float(_HEADER.unpack(header)[2]) if header else None

    def rewrite(self, contents: Iterable[bytes]) -> None:
        """Put these records in place of all, whole or not at all. The time it was begun stays."""
        self.close()
        made = self.made()
        header = _new_header(made)
        framed = [self._framed(header, number, content) for number, content in enumerate(contents)]
        write_bytes(self.path, header + b"".join(framed))

    def close(self) -> None:
        """Let go of the file; the next append opens it again."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _opened(self) -> BinaryIO:
        """The file, its torn end cut off, ready for the next record."""
        if self._stream is not None:
            return self._stream
        end = self._left[1] if self.untouched() else self._end()
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        stream = os.fdopen(descriptor, "r+b", buffering=0)
        if self._header:
            stream.truncate(end)
        else:
            stream.truncate(0)
            self._header = _new_header(None)
            _write_all(stream, self._header)
        stream.seek(0, os.SEEK_END)
        self._stream = stream
        return stream

    def _end(self) -> int:
        """Where the last whole record ends; header and count are read on the way."""
        self._header, self._count, end = self._read_header(), 0, _HEADER.size
        for read in self._walk():
            self._count, end = self._count + 1, read.end
        return end

    def _walk(self) -> Iterator[_Read]:
        header = self._read_header()
        if not header:
            return
        with self.path.open("rb") as stream:
            end = stream.seek(_HEADER.size)
            number = 0
            while (content := self._next(stream, header, number)) is not None:
                end, number = stream.tell(), number + 1
                yield _Read(content, end)

    def _next(self, stream: BinaryIO, header: bytes, number: int) -> bytes | None:
        """Record `number`, or None at the end of what was written whole."""
        frame = stream.read(_FRAME.size)
        if len(frame) < _FRAME.size:
            return None
        if not any(frame) and not any(stream.read()):
            return None  # a file system may leave zeros where a crash cut off a write
        length, check = _FRAME.unpack(frame)
        if check != _frame_check(header, number, length):
            raise self._damaged(number)
        body = stream.read(length)
        return self._content(header, number, body) if len(body) == length else None

    def _content(self, header: bytes, number: int, body: bytes) -> bytes:
        if self._vault is not None:
            return self._vault.open(body, self._label(header, number), where=self._place(number))
        content = body[_CHECK.size :]
        if body[: _CHECK.size] != _CHECK.pack(zlib.crc32(content, zlib.crc32(header))):
            raise self._damaged(number)
        return content

    def _framed(self, header: bytes, number: int, content: bytes) -> bytes:
        if self._vault is not None:
            body = self._vault.seal(content, self._label(header, number))
        else:
            body = _CHECK.pack(zlib.crc32(content, zlib.crc32(header))) + content
        return _FRAME.pack(len(body), _frame_check(header, number, len(body))) + body

    def _read_header(self) -> bytes:
        """The header, or nothing where the file does not exist or not even its header was written whole."""
        try:
            with self.path.open("rb") as stream:
                header = stream.read(_HEADER.size)
        except FileNotFoundError:
            return b""
        except OSError as error:
            why = os.strerror(error.errno or 0)
            raise DataError(f"A journal cannot be read: {why}.", where=str(self.path), fix=_FIX) from None
        if not any(header) or (len(header) < _HEADER.size and header.startswith(_MAGIC[: len(header)])):
            return b""
        if not header.startswith(_MAGIC):
            raise DataError("A file that should be a journal is not one.", where=str(self.path), fix=_FIX)
        return header

    def _label(self, header: bytes, number: int) -> str:
        return f"{self.path.name}/{header.hex()}/{number}"

    def _place(self, number: int) -> str:
        return f"{self.path}: record {number + 1}"

    def _damaged(self, number: int) -> DataError:
        return DataError("A journal was altered.", where=self._place(number), fix=_FIX)


_FIX = "Restore the file from a backup; if it holds measurements, delete it and they are made again."


def _new_header(made: float | None) -> bytes:
    return _HEADER.pack(_MAGIC, os.urandom(16), int(time.time() if made is None else made))


def _frame_check(header: bytes, number: int, length: int) -> int:
    return zlib.crc32(struct.pack(">QI", number, length), zlib.crc32(header))


def _as_it_stands(found: os.stat_result) -> tuple[int, ...]:
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _write_all(stream: BinaryIO, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[stream.write(view) :]
