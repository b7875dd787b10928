"""Where the pixel data lie in a file, and the one frame of compressed data in its fragments (DICOM PS3.5, A.4).

Lengths are checked against the bytes there are: a file that was cut is refused as truncated, whatever its decoder
would make of it.
"""

from __future__ import annotations

from pydicom.uid import DeflatedExplicitVRLittleEndian

from client.data.container import TRUNCATED
from client.data.decoded import UnreadablePhotograph
from client.data.dicom.header import Header

MOST_FRAGMENTS = 100_000  # a frame of 300 MB in fragments of 4 KB has 75,000
_PIXEL_DATA, _ITEM, _END = 0x7FE00010, 0xFFFEE000, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF


def pixel_value(body: memoryview, header: Header, *, encapsulated: bool) -> tuple[memoryview, bool]:
    """The value of the pixel data, and whether it is written as 16-bit words.

    Raises UnreadablePhotograph where it is not stored as the transfer syntax demands, or ends too early.
    """
    position = header.start
    if _tag(body[position : position + 4], header.little) != _PIXEL_DATA:
        raise UnreadablePhotograph("a DICOM file whose pixels are fractions")
    words = not header.explicit or bytes(body[position + 4 : position + 6]) == b"OW"
    position += 8 if header.explicit else 4
    length = _number(body[position : position + 4], header.little)
    value = body[position + 4 :]
    if encapsulated != (length == _UNDEFINED):
        raise UnreadablePhotograph("DICOM pixels that are not stored as their transfer syntax demands")
    if encapsulated:
        return value, False
    if (
        length > len(value) and header.syntax != DeflatedExplicitVRLittleEndian
    ):  # of which only the frame was inflated
        raise UnreadablePhotograph(TRUNCATED)
    return value[:length], words


def one_frame(value: memoryview) -> bytes:
    """The fragments after the table of offsets, joined: in a file of one frame all belong to it."""
    fragments: list[memoryview] = []
    position = 0
    for _ in range(MOST_FRAGMENTS):
        tag, length = _tag(value[position : position + 4]), _number(value[position + 4 : position + 8])
        position += 8
        if position + length > len(value):
            raise UnreadablePhotograph(TRUNCATED)
        if tag == _END:
            return b"".join(fragments[1:])
        if tag != _ITEM:
            raise UnreadablePhotograph("damaged DICOM fragments")
        fragments.append(value[position : position + length])
        position += length
    raise UnreadablePhotograph(f"a DICOM frame of more than {MOST_FRAGMENTS:,} fragments")


def _tag(data: memoryview, little: bool = True) -> int:
    return _number(data[:2], little) << 16 | _number(data[2:], little)


def _number(data: memoryview, little: bool = True) -> int:
    return int.from_bytes(data, "little" if little else "big")
