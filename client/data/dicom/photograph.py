"""From the bytes of a DICOM file to an 8-bit RGB photograph, in the colours that its header declares.

Samples of more than 8 bits are scaled by the bits that the header says are stored. Display settings (windows,
presentation tables, colour profiles) are not applied: they are a viewer's, and differ between two exports of one
photograph. DICOM PS3.3, C.7.6.3.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from pydicom.uid import UID

from client.data.decoded import Decoded, UnreadablePhotograph
from client.data.dicom.codecs import COMPRESSED, JPEG, NATIVE, READ, lossy_jpeg
from client.data.dicom.fragments import one_frame, pixel_value
from client.data.dicom.header import Header, body_of, parse_header
from client.data.dicom.layout import Layout, Samples, layout_of, native
from client.data.dicom.objects import refused_kind
from client.data.dicom.palette import through_palette

_ELEMENT_BYTES = 64  # what stands before and after the pixel data in their element, and more


def read_dicom(data: bytes, size: int) -> Decoded:
    """The photograph in RGB, lossy JPEG at a fraction of its size whose sides are still twice `size`.

    Raises UnreadablePhotograph with the reason, and whatever a codec raises for damaged pixels.
    """
    header = parse_header(data)
    if reason := refused_kind(header):
        raise UnreadablePhotograph(reason)
    layout = layout_of(header)
    if header.syntax not in READ:
        raise UnreadablePhotograph(f"the DICOM transfer syntax {_name(header.syntax)} is not read")
    return Decoded(_picture(data, header, layout, size), layout.columns, layout.rows, layout.photometric)


def _picture(data: bytes, header: Header, layout: Layout, size: int) -> Image.Image:
    body = body_of(data, header.start + _ELEMENT_BYTES + layout.frame_bytes)
    value, words = pixel_value(body, header, encapsulated=header.syntax not in NATIVE)
    if header.syntax in NATIVE:
        return _rgb(native(value, layout, words=words), layout, header)
    frame = one_frame(value)
    if header.syntax not in JPEG:
        return _rgb(COMPRESSED[header.syntax](frame, layout), layout, header)
    picture = lossy_jpeg(frame, layout, size)
    return (ImageOps.invert(picture) if layout.photometric == "MONOCHROME1" else picture).convert("RGB")


def _rgb(samples: Samples, layout: Layout, header: Header) -> Image.Image:
    if layout.photometric == "PALETTE COLOR":
        return Image.fromarray(through_palette(samples, header))
    levels = _eight_bits(samples)
    if layout.photometric == "MONOCHROME1":
        levels = 255 - levels
    picture = Image.fromarray(np.ascontiguousarray(levels))
    if layout.photometric in ("YBR_FULL", "YBR_FULL_422"):  # the full range of BT.601, as in JPEG
        picture = Image.frombytes("YCbCr", picture.size, picture.tobytes())
    return picture.convert("RGB")


def _eight_bits(samples: Samples) -> NDArray[np.uint8]:
    if samples.bits == 8:
        return samples.values.astype(np.uint8, copy=False)
    scaled = np.rint(samples.values * np.float32(255 / (2**samples.bits - 1)))
    eight: NDArray[np.uint8] = scaled.astype(np.uint8)
    return eight


def _name(syntax: str) -> str:
    """The registered name of a syntax; the text of an unknown one is the file's own and not repeated."""
    name = UID(syntax).name
    return name if name != syntax else "of this file, which is not registered,"
