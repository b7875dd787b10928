"""Palette colours: what the numbers of an indexed photograph look like (DICOM PS3.3, C.7.6.3.1.5 and C.7.9).

Segmented tables, which a few bytes may expand without bound, are not read.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from client.data.decoded import UnreadablePhotograph
from client.data.dicom.header import Header
from client.data.dicom.layout import Samples

_BAD = "a DICOM palette that cannot be read"


def through_palette(samples: Samples, header: Header) -> NDArray[np.uint8]:
    """Colours (rows, columns, 3) of indices (rows, columns). Raises UnreadablePhotograph for a bad palette."""
    tables = [_table(header, colour) for colour in ("Red", "Green", "Blue")]
    colours = np.stack([table for table, _ in tables], axis=1) if _alike(tables) else None
    if colours is None:
        raise UnreadablePhotograph(_BAD)
    first = tables[0][1]
    indices = np.clip(samples.values.astype(np.int32) - first, 0, len(colours) - 1)
    return colours[indices]


def _alike(tables: list[tuple[NDArray[np.uint8], int]]) -> bool:
    return len({(len(table), first) for table, first in tables}) == 1


def _table(header: Header, colour: str) -> tuple[NDArray[np.uint8], int]:
    """The levels of one colour, and the index of the first of them."""
    described = header.numbers(f"{colour}PaletteColorLookupTableDescriptor")
    data = header.raw(f"{colour}PaletteColorLookupTableData")
    if len(described) != 3 or not data:
        raise UnreadablePhotograph(_BAD)
    entries, first, bits = described[0] % 2**16 or 2**16, described[1] % 2**16, described[2]
    if bits not in (8, 16):
        raise UnreadablePhotograph(_BAD)
    if bits == 8 and len(data) < 2 * entries:
        if not header.little:  # bytes in 16-bit words
            data = np.frombuffer(data[: len(data) // 2 * 2], "<u2").byteswap().tobytes()
        levels = np.frombuffer(data, np.uint8)
    else:
        words = np.frombuffer(data[: len(data) // 2 * 2], "<u2" if header.little else ">u2")
        # 8-bit levels are found in either byte of a word.
        levels = (words >> 8 if words.max(initial=0) > 255 else words).astype(np.uint8)
    if len(levels) < entries:
        raise UnreadablePhotograph(_BAD)
    return levels[:entries], first
