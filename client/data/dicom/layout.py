"""How a header says that its pixels are stored, and uncompressed pixels read accordingly.

DICOM PS3.3, C.7.6.3 (image pixel module) and PS3.5, section 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from client.data.container import TRUNCATED
from client.data.decoded import UnreadablePhotograph, require_size
from client.data.dicom.header import Header

_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT")
_SAMPLES = dict.fromkeys(("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"), 1) | dict.fromkeys(_COLOUR, 3)


class Samples(NamedTuple):
    """Values (rows, columns) or (rows, columns, 3) from 0 to 2**bits - 1."""

    values: NDArray[Any]
    bits: int


@dataclass(frozen=True)
class Layout:
    """One frame, within the pipeline's limits."""

    rows: int
    columns: int
    samples: int  # 1 or 3 a pixel
    allocated: int  # bits of a sample in the file: 8 or 16
    stored: int  # bits that are used
    high: int  # position of the highest of them
    planar: bool  # a plane for each colour, not a triple for each pixel
    photometric: str
    little: bool

    @property
    def frame_bytes(self) -> int:
        """Bytes of the uncompressed frame."""
        return self.rows * self.columns * self.samples * self.allocated // 8


def layout_of(header: Header) -> Layout:
    """The layout a header declares. Raises UnreadablePhotograph for one that is not read or cannot be."""
    names = ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit")
    rows, columns, samples, allocated, stored, high = (header.number(name) for name in names)
    photometric = header.text("PhotometricInterpretation").upper()
    if photometric not in _SAMPLES:
        raise UnreadablePhotograph("a DICOM photometric interpretation that is not read")
    if rows is None or columns is None or min(rows, columns) < 1 or samples != _SAMPLES[photometric]:
        raise UnreadablePhotograph("a DICOM header without rows, columns and samples that fit together")
    require_size(columns, rows)
    stored = allocated if stored is None else stored
    high = stored - 1 if high is None and stored else high
    if allocated not in (8, 16) or stored is None or high is None or not 0 < stored <= high + 1 <= allocated:
        raise UnreadablePhotograph("a DICOM header whose pixels are not whole numbers of 8 to 16 bits")
    if header.number("PixelRepresentation"):
        raise UnreadablePhotograph("a DICOM file of signed pixels, for which no range is declared")
    planar = header.number("PlanarConfiguration") == 1
    return Layout(rows, columns, samples, allocated, stored, high, planar, photometric, header.little)


def native(data: memoryview, layout: Layout, *, words: bool) -> Samples:
    """Uncompressed samples; words: written as 16-bit words, which big-endian files swap.

    Raises UnreadablePhotograph where there are fewer than the header says.
    """
    pixels = layout.rows * layout.columns
    if (
        layout.photometric == "YBR_FULL_422" and len(data) < 3 * pixels
    ):  # else written in full, against its name
        return _subsampled(data, layout)
    needed = layout.frame_bytes
    if len(data) < needed:
        raise UnreadablePhotograph(TRUNCATED)
    if layout.allocated == 16:
        values: NDArray[Any] = np.frombuffer(data[:needed], "<u2" if layout.little else ">u2").astype(
            np.uint16
        )
    elif words and not layout.little:
        values = np.frombuffer(data[: needed + needed % 2], "<u2").byteswap().view(np.uint8)[:needed]
    else:
        values = np.frombuffer(data[:needed], np.uint8)
    return used_bits(arranged(values, layout), layout)


def arranged(values: NDArray[Any], layout: Layout) -> NDArray[Any]:
    """Samples in their order in the file to (rows, columns) or (rows, columns, 3)."""
    if layout.samples == 1:
        return values.reshape(layout.rows, layout.columns)
    if layout.planar:
        return values.reshape(3, layout.rows, layout.columns).transpose(1, 2, 0)
    return values.reshape(layout.rows, layout.columns, 3)


def used_bits(values: NDArray[Any], layout: Layout) -> Samples:
    """The stored bits of every value; overlays and rubbish may stand in the others."""
    if (layout.stored, layout.high + 1) != (values.dtype.itemsize * 8,) * 2:
        values = values >> (layout.high + 1 - layout.stored) & (2**layout.stored - 1)
    return Samples(values, layout.stored)


def _subsampled(data: memoryview, layout: Layout) -> Samples:
    """Two pixels as Y Y Cb Cr (PS3.3, C.7.6.3.1.2)."""
    rows, columns = layout.rows, layout.columns
    if columns % 2 or (layout.allocated, layout.stored) != (8, 8):
        raise UnreadablePhotograph("a DICOM layout of YBR_FULL_422 that does not exist")
    if len(data) < rows * columns * 2:
        raise UnreadablePhotograph(TRUNCATED)
    pairs = np.frombuffer(data[: rows * columns * 2], np.uint8).reshape(rows, columns // 2, 4)
    values = np.empty((rows, columns, 3), np.uint8)
    values[..., 0] = pairs[..., :2].reshape(rows, columns)
    values[..., 1:] = np.repeat(pairs[..., 2:], 2, axis=1)
    return Samples(values, 8)
