"""Photographs as cameras and programs save them: JPEG, PNG, TIFF and BMP, to 8-bit RGB.

Colour profiles are ignored: fundus cameras write sRGB or none, the model standardises colour by the federation's own
statistics, and a conversion would tie the pixels to the version of a colour library. Deep greyscale is scaled by the
depth that its file declares, never by its brightest pixel, so that dark photographs stay dark.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from client.data.container import container_fault
from client.data.decoded import Decoded, UnreadablePhotograph, require_size

FORMATS = ("JPEG", "PNG", "TIFF", "BMP")
KINDS = ", ".join((*FORMATS, "DICOM"))

_OTHER_KINDS = {  # format -> where its mark stands and what it is
    "GIF": (0, b"GIF8"),
    "WebP": (8, b"WEBP"),
    "HEIC": (4, b"ftyphei"),
    "HEIF": (4, b"ftypmif1"),
    "AVIF": (4, b"ftypavi"),
    "JPEG 2000": (4, b"jP  \r\n\x87\n"),
    "PDF": (0, b"%PDF"),
}
_KNOWN_MARKS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*", b"BM")

_ORIENTATION = 0x0112  # EXIF and TIFF tags
_SUBFILE, _BITS, _WHITE_IS_ZERO, _HIGHEST = 254, 258, 262, 281
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_raster(data: bytes, size: int) -> Decoded:
    """The photograph upright in RGB, JPEG at a fraction of its size whose sides are still twice `size`.

    Raises UnreadablePhotograph with the reason, and whatever the decoder raises for a damaged file.
    """
    if fault := container_fault(data):
        raise UnreadablePhotograph(fault)
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise UnreadablePhotograph(_unidentified(data)) from None
    with image:
        width, height = image.size
        mode = image.mode
        require_size(width, height)
        _require_one_picture(image)
        # JPEG decodes at 1/2, 1/4 or 1/8 for a fraction of the time; twice the size leaves room for the crop.
        image.draft(None, (2 * size, 2 * size))
        image.load()
        exif = _exif(image)
        turn = _TURNS.get(_orientation(exif))
        rgb = _rgb(image)
        upright = rgb if turn is None else rgb.transpose(turn)
        return Decoded(upright, width, height, mode, image.info, exif)


def _unidentified(data: bytes) -> str:
    for kind, (offset, mark) in _OTHER_KINDS.items():
        if data[offset : offset + len(mark)] == mark:
            return f"{kind} is not read (save it as one of {KINDS})"
    if data.startswith(_KNOWN_MARKS):
        return "damaged or truncated image (its header cannot be read, or is of a rare kind)"
    return f"not an image of a known kind ({KINDS})"


def _require_one_picture(image: Image.Image) -> None:
    """A thumbnail beside the photograph is no second picture; neither is what a JPEG carries after its end."""
    if image.format not in ("PNG", "TIFF") or not getattr(image, "is_animated", False):
        return
    if image.format == "PNG":
        raise UnreadablePhotograph("an animated PNG, not a photograph")
    image.seek(1)
    if not int(_tiff_tags(image).get(_SUBFILE, 0)) & 1:
        raise UnreadablePhotograph("a TIFF of several pages: save each as a file of its own")
    image.seek(0)


def _tiff_tags(image: Image.Image) -> Mapping[int, Any]:
    """The tags of a TIFF, none of another format. Its plugin is imported by whoever opens one: workers of check
    start quickly."""
    tags: Mapping[int, Any] = getattr(image, "tag_v2", {}) if image.format == "TIFF" else {}
    return tags


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
        return image  # loaded: closing the file does not touch its pixels
    if image.mode.startswith("I;16"):
        return Image.fromarray(_eight_bits(image)).convert("RGB")
    if image.mode in ("I", "F"):  # signed, 32-bit or fractions
        raise UnreadablePhotograph(
            "its pixels are not whole numbers of at most 16 bits: no range is declared"
        )
    if image.has_transparency_data:
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        return Image.alpha_composite(black, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> NDArray[np.uint8]:
    """Deeper greyscale to 8 bits: PNG always fills its 16 bits, TIFF says how many it uses."""
    highest, inverted = 65535, False
    if tags := _tiff_tags(image):
        bits = int(tags.get(_BITS, (16,))[0])
        highest = int(np.ravel(tags.get(_HIGHEST, 0))[0]) or 2**bits - 1
        inverted = tags.get(_WHITE_IS_ZERO) == 0
    exact = np.asarray(image).astype(np.float32) * np.float32(255 / highest)
    scaled: NDArray[np.uint8] = np.clip(np.rint(exact), 0, 255).astype(np.uint8)
    return 255 - scaled if inverted else scaled
