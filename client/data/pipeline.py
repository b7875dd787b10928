"""From the bytes of a photograph to the square of pixels the model sees; the same in training and inference.

Decode, turn upright, to 8-bit RGB, crop to the field of view, shrink with antialiasing, pad with black to a
square. No randomness and no state: the same bytes give the same pixels. Whatever cannot be read is refused
by name, since a photograph comes from outside and may be damaged or hostile.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from client.data.decoded import (
    MAX_FILE_BYTES,
    MAX_IMAGE_PIXELS,
    NO_MEMORY,
    Decoded,
    UnreadablePhotograph,
    too_large,
)
from client.data.raster import read_raster
from shared_model.version import PIPELINE_VERSION

__all__ = [
    "MAX_FILE_BYTES",
    "MAX_IMAGE_PIXELS",
    "NO_MEMORY",
    "PIPELINE_VERSION",
    "Decoded",
    "UnreadablePhotograph",
    "decode",
    "field_of_view",
    "prepare",
]

# Pillow warns of large images and odd metadata; what matters of that is refused below, with a reason.
warnings.filterwarnings("ignore", module=r"PIL\.")


def prepare(data: bytes, size: int) -> NDArray[np.uint8]:
    """Pixels (3, size, size), RGB, of an encoded photograph. Raises UnreadablePhotograph."""
    with _refusals():
        return _square(_decode(data, size).picture, size)


def decode(data: bytes, size: int) -> Decoded:
    """The photograph before it is cropped, where that is cheap at no more than 1/2, 1/4 or 1/8 of its size.

    Its sides are then still twice `size` or longer. Raises UnreadablePhotograph where prepare does.
    """
    with _refusals():
        return _decode(data, size)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except UnreadablePhotograph:
        raise
    except Image.DecompressionBombError:
        raise UnreadablePhotograph(too_large()) from None
    except MemoryError:
        raise UnreadablePhotograph(NO_MEMORY) from None
    except Exception as error:  # decoders of damaged files raise nearly anything
        raise UnreadablePhotograph(f"damaged or truncated image ({type(error).__name__})") from None


def _decode(data: bytes, size: int) -> Decoded:
    if not data:
        raise UnreadablePhotograph("the file is empty")
    if len(data) > MAX_FILE_BYTES:
        raise UnreadablePhotograph(f"the file is larger than {MAX_FILE_BYTES // 2**20} MB")
    if data[128:132] != b"DICM":
        return read_raster(data, size)
    # Importing it takes longer than reading a site's first hundred JPEGs.
    from client.data.dicom import read_dicom

    return read_dicom(data, size)


def _square(image: Image.Image, size: int) -> NDArray[np.uint8]:
    image = image.crop(field_of_view(np.asarray(image)))
    width, height = image.size
    scale = size / max(width, height)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    canvas = Image.new("RGB", (size, size))
    canvas.paste(
        image.resize(inner, Image.Resampling.BICUBIC), ((size - inner[0]) // 2, (size - inner[1]) // 2)
    )
    return np.ascontiguousarray(np.asarray(canvas).transpose(2, 0, 1))


def field_of_view(pixels: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Left, upper, right and lower edge of the lit disc in pixels (H, W, 3).

    A row or column belongs to it where 2 % of its pixels are brighter than a tenth of the photograph's own
    brightness, so that specks and sensor noise in the border do not count. The whole photograph where it is
    too dark to tell, or where less than 30 % of a side would be left: that is no border.
    """
    height, width = pixels.shape[:2]
    whole = (0, 0, width, height)
    # pixels.max(axis=2) in a tenth of the time
    level = np.maximum(np.maximum(pixels[..., 0], pixels[..., 1]), pixels[..., 2])
    sample = level[:: max(1, height // 256), :: max(1, width // 256)]
    threshold = max(10.0, 0.1 * float(np.percentile(sample, 95)))
    lit = level > threshold
    rows = np.flatnonzero(lit.mean(axis=1) > 0.02)
    columns = np.flatnonzero(lit.mean(axis=0) > 0.02)
    if not len(rows) or not len(columns):
        return whole
    left, upper, right, lower = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
    if right - left < 0.3 * width or lower - upper < 0.3 * height:
        return whole
    return left, upper, right, lower
