"""One frame of pixel data, native or compressed, to the samples that are stored in it.

No codec is asked before the size it announces is found to be the header's, which is within the pipeline's limits: a
frame cannot take more memory than its header owns up to. JPEG, lossless JPEG and JPEG 2000 go through Pillow
(libjpeg-turbo, OpenJPEG), JPEG-LS through CharLS. DICOM PS3.5, annexes A and G.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import _CharLS
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from pydicom import uid

from client.data.container import TRUNCATED, container_fault
from client.data.decoded import UnreadablePhotograph
from client.data.dicom.jpeg import END, NO_STREAM, frame_of, with_transform
from client.data.dicom.layout import Layout, Samples, arranged, used_bits

MISMATCH = "a DICOM header that contradicts its compressed pixels"


def lossy_jpeg(frame: bytes, layout: Layout, size: int) -> Image.Image:
    """Greyscale or RGB, at a fraction of its size whose sides are still twice `size`.

    Marks inside the stream that say how its colours are coded are believed; where there are none, the header is.
    """
    said = frame_of(frame)
    if said.bits != 8:
        raise UnreadablePhotograph("JPEG of more than 8 bits is not read")
    if layout.photometric == "PALETTE COLOR":
        raise UnreadablePhotograph("a DICOM palette behind lossy compression")
    if layout.samples == 3 and not said.coloured:
        frame = with_transform(frame, int(layout.photometric != "RGB"))
    with _opened(frame, "JPEG", layout) as image:
        image.draft(None, (2 * size, 2 * size))
        image.load()
        return image.copy()


def rle(frame: bytes, layout: Layout) -> Samples:
    """PackBits, one segment a byte of a sample, its highest first (PS3.5, annex G)."""
    width = layout.allocated // 8
    if len(frame) < 64:
        raise UnreadablePhotograph(TRUNCATED)
    count, *offsets = struct.unpack("<16L", frame[:64])
    if count != layout.samples * width:
        raise UnreadablePhotograph(MISMATCH)
    bounds = [*offsets[:count], len(frame)]
    if max(bounds) > len(frame):
        raise UnreadablePhotograph(TRUNCATED)
    if bounds[0] < 64 or any(after < before for before, after in pairwise(bounds)):
        raise UnreadablePhotograph("a DICOM table of RLE segments that cannot be")
    planes = np.stack([_packbits(frame[begin:end], layout) for begin, end in pairwise(bounds)])
    values: NDArray[Any] = planes if width == 1 else planes[::2].astype(np.uint16) << 8 | planes[1::2]
    return used_bits(arranged(values, replace(layout, planar=True)), layout)


def _packbits(segment: bytes, layout: Layout) -> NDArray[np.uint8]:
    # As one long row, since some writers let a run cross from one row into the next.
    try:
        row = Image.frombytes("L", (layout.rows * layout.columns, 1), segment, "packbits", "L")
    except ValueError:
        raise UnreadablePhotograph(TRUNCATED) from None
    return np.asarray(row).reshape(-1)


def jpeg_lossless(frame: bytes, layout: Layout) -> Samples:
    """Lossless JPEG, its samples untransformed whatever the stream says."""
    if frame_of(frame).bits != 8:
        raise UnreadablePhotograph("lossless JPEG of more than 8 bits is not read")
    with _opened(with_transform(frame, 0), "JPEG", layout) as image:
        return used_bits(np.array(image), layout)


def jpeg_2000(frame: bytes, layout: Layout) -> Samples:
    """JPEG 2000, its own colour transform undone. Of colours of more than 8 bits the upper 8 are kept."""
    if not frame.rstrip(b"\0").endswith(END):
        raise UnreadablePhotograph(TRUNCATED)
    depth = frame[42] if len(frame) > 42 and frame.startswith(b"\xff\x4f\xff\x51") else 0x80
    if depth & 0x80:
        raise UnreadablePhotograph("JPEG 2000 of signed pixels, or inside another file")
    bits = depth + 1
    if not layout.stored <= bits <= 16 or (layout.samples == 3 and 8 < bits != layout.stored):
        raise UnreadablePhotograph(MISMATCH)
    with _opened(frame, "JPEG2000", layout) as image:
        values = np.array(image)
    if layout.samples == 3 and bits > 8:
        return Samples(values, 8)
    return used_bits(values >> (values.dtype.itemsize * 8 - bits), layout)  # Pillow fills 8 or 16 bits


def jpeg_ls(frame: bytes, layout: Layout) -> Samples:
    """JPEG-LS, lossless and near-lossless."""
    said = _CharLS.read_header(frame)
    bits = said["bits_per_sample"]
    if (said["height"], said["width"], said["components"]) != (layout.rows, layout.columns, layout.samples):
        raise UnreadablePhotograph(MISMATCH)
    if not layout.stored <= bits <= 16:
        raise UnreadablePhotograph(MISMATCH)
    values = np.frombuffer(_CharLS.decode_from_buffer(frame), "u1" if bits <= 8 else "<u2")
    return used_bits(arranged(values, replace(layout, planar=said["interleave_mode"] == 0)), layout)


def _opened(frame: bytes, kind: str, layout: Layout) -> Image.Image:
    if kind == "JPEG" and (fault := container_fault(frame)):
        raise UnreadablePhotograph(fault)
    try:
        image = Image.open(io.BytesIO(frame), formats=(kind,))
    except UnidentifiedImageError:
        raise UnreadablePhotograph(NO_STREAM) from None
    channels = {"L": 1, "I;16": 1, "RGB": 3}.get(image.mode)
    if image.size != (layout.columns, layout.rows) or channels != layout.samples:
        raise UnreadablePhotograph(MISMATCH)
    return image


COMPRESSED: dict[str, Callable[[bytes, Layout], Samples]] = {
    uid.RLELossless: rle,
    uid.JPEGLossless: jpeg_lossless,
    uid.JPEGLosslessSV1: jpeg_lossless,
    uid.JPEGLSLossless: jpeg_ls,
    uid.JPEGLSNearLossless: jpeg_ls,
    uid.JPEG2000Lossless: jpeg_2000,
    uid.JPEG2000: jpeg_2000,
}
NATIVE = frozenset(
    {
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRLittleEndian,
        uid.DeflatedExplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
    }
)
JPEG = frozenset({uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit})
READ = NATIVE | JPEG | COMPRESSED.keys()
