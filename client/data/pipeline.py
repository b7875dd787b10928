"""From the bytes of a photograph to the square of pixels the model sees; the same in training and inference.

Decode, turn upright, to 8-bit RGB, crop to the field of view, shrink with antialiasing, pad with black to a
square. No randomness and no state: the same bytes give the same pixels. Whatever cannot be read is refused
by name, since a photograph comes from outside and may be damaged or hostile.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from client.data.container import container_fault

PIPELINE_VERSION = "fundus-1"  # changes whenever the same bytes would give other pixels
MAX_IMAGE_PIXELS = 100_000_000  # the largest fundus cameras make 25 million
MAX_FILE_BYTES = 300 * 2**20
FORMATS = ("JPEG", "PNG", "TIFF", "BMP")

# Pillow warns of large images and odd metadata; what matters of that is refused below, with a reason.
warnings.filterwarnings("ignore", module=r"PIL\.")

_ORIENTATION = 0x0112  # EXIF tag
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class UnreadablePhotograph(ValueError):
    """A photograph that cannot be used; the text is the reason, without names or values of its content."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """A photograph upright in 8-bit RGB, possibly at a fraction of its size, and what its file says of it."""

    picture: Image.Image
    width: int  # as stored in the file
    height: int
    mode: str
    info: Mapping[Any, Any]
    exif: Image.Exif | None  # none where damaged


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
    except UnidentifiedImageError:
        raise UnreadablePhotograph(f"not an image of a known kind ({', '.join(FORMATS)})") from None
    except Image.DecompressionBombError:
        raise UnreadablePhotograph(_too_large()) from None
    except MemoryError:
        raise UnreadablePhotograph("decoding it takes more memory than there is") from None
    except Exception as error:  # decoders of damaged files raise nearly anything
        raise UnreadablePhotograph(f"damaged or truncated image ({type(error).__name__})") from None


def _decode(data: bytes, size: int) -> Decoded:
    if not data:
        raise UnreadablePhotograph("the file is empty")
    if len(data) > MAX_FILE_BYTES:
        raise UnreadablePhotograph(f"the file is larger than {MAX_FILE_BYTES // 2**20} MB")
    if fault := container_fault(data):
        raise UnreadablePhotograph(fault)
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        width, height = image.size
        mode = image.mode
        if width * height > MAX_IMAGE_PIXELS:
            raise UnreadablePhotograph(_too_large())
        # JPEG decodes at 1/2, 1/4 or 1/8 for a fraction of the time; twice the size leaves room for the crop.
        image.draft(None, (2 * size, 2 * size))
        image.load()
        exif = _exif(image)
        turn = _TURNS.get(_orientation(exif))
        rgb = _rgb(image)
        upright = rgb if turn is None else rgb.transpose(turn)
        return Decoded(upright, width, height, mode, image.info, exif)


def _exif(image: Image.Image) -> Image.Exif | None:
    try:
        return image.getexif()
    except Exception:  # a damaged header does not make the picture unusable
        return None


def _orientation(exif: Image.Exif | None) -> int:
    try:
        return int(exif.get(_ORIENTATION, 1)) if exif else 1
    except Exception:  # nor does a damaged entry
        return 1


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image.copy()
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_eight_bits(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        return Image.alpha_composite(black, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def _eight_bits(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Deeper greyscale to 8 bits; the depth is the smallest of 8, 10, 12, 14 and 16 that holds the values."""
    exact = np.nan_to_num(values.astype(np.float32), posinf=65535.0, neginf=0.0)
    top = float(exact.max(initial=0.0))
    depth = next((bits for bits in (8, 10, 12, 14) if top < 2**bits), 16)
    scaled: NDArray[np.uint8] = np.clip(np.rint(exact * (255 / (2**depth - 1))), 0, 255).astype(np.uint8)
    return scaled


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
    level = pixels.max(axis=2)
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


def _too_large() -> str:
    return f"more than {MAX_IMAGE_PIXELS // 1_000_000} million pixels"
