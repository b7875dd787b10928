"""The few facts of a JPEG stream that decide its colours: its frame header and its colour marks.

libjpeg guesses from marks inside the stream whether three components are YCbCr; DICOM says it outside, in the
photometric interpretation. Where the stream is silent, or must not be converted, DICOM's word is written into it as
Adobe's mark. ITU T.81, annex B; Adobe technical note 5116.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from client.data.container import TRUNCATED
from client.data.decoded import UnreadablePhotograph

START, END = b"\xff\xd8", b"\xff\xd9"
NO_STREAM = "a DICOM frame that is not what its transfer syntax says"
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_JFIF, _ADOBE, _SCAN = 0xE0, 0xEE, 0xDA


class Frame(NamedTuple):
    """The frame header: bits of a sample, and whether the stream itself says how its colours are coded."""

    bits: int
    coloured: bool


def frame_of(stream: bytes) -> Frame:
    """The frame header of a stream. Raises UnreadablePhotograph where there is none before the first scan."""
    coloured = False
    for marker, begin, end in _segments(stream):
        payload = stream[begin + 4 : min(end, begin + 12)]
        coloured |= marker == _JFIF and payload.startswith(b"JFIF\0")
        coloured |= marker == _ADOBE and payload.startswith(b"Adobe")
        if marker in _FRAMES and payload:
            return Frame(payload[0], coloured)
    raise UnreadablePhotograph(NO_STREAM)


def with_transform(stream: bytes, transform: int) -> bytes:
    """The stream with no colour mark but Adobe's. transform: 1 for YCbCr, 0 for samples to be left as they are."""
    marked = [START, b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00", bytes([transform])]
    last = 2
    for marker, begin, end in _segments(stream):
        if marker not in (_JFIF, _ADOBE):
            marked.append(stream[begin:end])
        last = end
    return b"".join([*marked, stream[last:]])


def _segments(stream: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, begin and end of every segment before the first scan."""
    if not stream.startswith(START):
        raise UnreadablePhotograph(NO_STREAM)
    position = 2
    while position + 4 <= len(stream):
        while stream[position : position + 2] == b"\xff\xff":  # fill bytes
            position += 1
        marker = stream[position + 1] if position + 4 <= len(stream) else _SCAN
        if stream[position] != 0xFF or marker == _SCAN:
            return
        end = position + 2 + int.from_bytes(stream[position + 2 : position + 4], "big")
        if end > len(stream):
            raise UnreadablePhotograph(TRUNCATED)
        yield marker, position, end
        position = end
