"""The header of a DICOM file: every element before the pixel data, read within fixed bounds.

A header comes from outside and may lie about lengths, nest without end or inflate without end. It is therefore read
from at most 4 MB and in at most 100,000 steps, and a value that cannot be read is an absent value.
DICOM PS3.5 (encoding) and PS3.10 (file format).
"""

from __future__ import annotations

import io
import logging
import os
import re
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

from pydicom import config
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.multival import MultiValue
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from client.data.container import TRUNCATED
from client.data.decoded import MAX_FILE_BYTES, UnreadablePhotograph

MOST_HEADER_BYTES = 4 * 2**20
MOST_READS = 100_000  # an element costs two or three; photographs have some hundreds
NO_SYNTAX = "a DICOM file that does not name its transfer syntax"
BROKEN = "damaged or truncated DICOM header"

# pydicom quotes values in what it warns of; these are patients' values, and what matters is refused with a reason.
config.settings.reading_validation_mode = config.IGNORE
logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
warnings.filterwarnings("ignore", module=r"pydicom\.")
warnings.filterwarnings("ignore", module=r"client\.data\.dicom\.")

_FIRST_READ = 64 * 1024  # holds most headers whole
_MAGIC_AT, _MAGIC = 128, b"DICM"
_GROUP = (b"\x7f\xe0", b"\xe0\x7f")  # of the pixel data, in big and little endian
_PIXELS = 0x7FE00008  # of whatever type; what comes before in this group are tables of offsets
_UID = re.compile(r"[0-9.]{1,64}")


def is_dicom(data: bytes) -> bool:
    """Whether the bytes begin as a DICOM file does (PS3.10: 128 bytes, then `DICM`)."""
    return data[_MAGIC_AT : _MAGIC_AT + len(_MAGIC)] == _MAGIC


@dataclass(frozen=True, eq=False)
class Header:
    """The elements before the pixel data. Values are read by keyword of DICOM's dictionary.

    syntax: UID of the transfer syntax. start: where the pixel data begin after these elements, in the data set
    inflated if deflated (`body_of`); -1 where there are none. explicit, little: how it is encoded.
    """

    dataset: Dataset
    syntax: str
    start: int
    explicit: bool
    little: bool

    def text(self, keyword: str) -> str:
        """The value as text, the first of several; "" where absent, empty or unreadable."""
        return _text(self.dataset, keyword)

    def number(self, keyword: str) -> int | None:
        """The value as a whole number, None where absent, empty or unreadable."""
        try:
            return int(_text(self.dataset, keyword))
        except ValueError:
            return None

    def numbers(self, keyword: str) -> list[int]:
        """All the values as whole numbers, none where they cannot be read."""
        try:
            values = self.dataset.get(keyword)
            return [int(value) for value in values] if isinstance(values, (MultiValue, list, tuple)) else []
        except Exception:
            return []

    def raw(self, keyword: str) -> bytes:
        """The bytes of a value that is no text, empty where absent."""
        try:
            value = self.dataset.get(keyword)
        except Exception:
            return b""
        return value if isinstance(value, bytes) else b""

    def uid(self, keyword: str) -> str:
        """The value as a UID, "" where it is none."""
        value = _text(self.dataset, keyword)
        return value if _UID.fullmatch(value) else ""

    def items(self, *keywords: str) -> list[Header]:
        """The items of a sequence, or of the sequence within each of its items, as headers of their own."""
        found = [self.dataset]
        for keyword in keywords:
            found = [item for dataset in found for item in _items(dataset, keyword)]
        return [Header(item, self.syntax, 0, self.explicit, self.little) for item in found]


def read_header(path: Path) -> Header | None:
    """The header of a file, None where the file is no DICOM. Raises OSError and UnreadablePhotograph."""
    with open(path, "rb") as file:
        start = file.read(_FIRST_READ)
        if not is_dicom(start):
            return None
        size = os.fstat(file.fileno()).st_size
        if size > MAX_FILE_BYTES:
            raise UnreadablePhotograph(f"the file is larger than {MAX_FILE_BYTES // 2**20} MB")
        try:
            header = parse_header(start)
            if header.start >= 0 or size <= _FIRST_READ:
                return header
        except UnreadablePhotograph:
            if size <= _FIRST_READ:
                raise
        return parse_header(start + file.read(MOST_HEADER_BYTES - _FIRST_READ))


def parse_header(data: bytes) -> Header:
    """The header of the bytes of a DICOM file. Raises UnreadablePhotograph where it cannot be read."""
    try:
        meta, position = _meta(data)
        syntax = _text(meta, "TransferSyntaxUID")
        if not _UID.fullmatch(syntax):
            raise UnreadablePhotograph(NO_SYNTAX)
        return _elements(_beginning(memoryview(data)[position:], syntax), syntax)
    except UnreadablePhotograph:
        raise
    except Exception as error:  # pydicom raises nearly anything
        raise UnreadablePhotograph(f"{BROKEN} ({type(error).__name__})") from None


def body_of(data: bytes, most: int) -> memoryview:
    """The data set of a file, without its file header; where it is deflated, at most its first `most` bytes inflated.

    Raises UnreadablePhotograph where its deflated form was cut before them.
    """
    meta, position = _meta(data)
    rest = memoryview(data)[position:]
    if _text(meta, "TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return rest
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    inflated = inflater.decompress(rest, most)
    if len(inflated) < most and not inflater.eof:
        raise UnreadablePhotograph(TRUNCATED)
    return memoryview(inflated)


def _beginning(rest: memoryview, syntax: str) -> bytes:
    """The first bytes of a data set, in which its header must end."""
    if syntax != DeflatedExplicitVRLittleEndian:
        return bytes(rest[:MOST_HEADER_BYTES])
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(rest, MOST_HEADER_BYTES)


def _meta(data: bytes) -> tuple[Dataset, int]:
    """The elements of group 2, which are explicit and little-endian in every file, and where they end."""
    file = io.BytesIO(data[:_FIRST_READ])
    file.seek(_MAGIC_AT + len(_MAGIC))
    meta = read_dataset(file, False, True, stop_when=lambda tag, vr, length: tag >> 16 != 2)
    return meta, file.tell()


class _Bounded(io.BytesIO):
    """Bytes that are read in a bounded number of steps: a few megabytes can hold a million elements."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._left = MOST_READS

    def read(self, size: int | None = -1, /) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise UnreadablePhotograph("a DICOM header of implausibly many elements")
        return super().read(size)


def _elements(start: bytes, syntax: str) -> Header:
    little = syntax != ExplicitVRBigEndian
    file = _Bounded(start)
    dataset = read_dataset(
        file, syntax == ImplicitVRLittleEndian, little, stop_when=lambda tag, vr, length: tag >= _PIXELS
    )
    position = file.tell()
    reached = position + 8 <= len(start) and start[position : position + 2] == _GROUP[little]
    implicit, _ = dataset.original_encoding
    return Header(dataset, syntax, position if reached else -1, not implicit, little)


def _text(dataset: Dataset, keyword: str) -> str:
    try:
        value = dataset.get(keyword)
        if isinstance(value, (MultiValue, list, tuple)):
            value = value[0] if len(value) else None
        return "" if value is None or isinstance(value, (bytes, Dataset)) else str(value).strip(" \0")
    except Exception:  # a value of the wrong kind says nothing
        return ""


def _items(dataset: Dataset, keyword: str) -> list[Dataset]:
    try:
        return [item for item in dataset.get(keyword) or () if isinstance(item, Dataset)]
    except Exception:
        return []
