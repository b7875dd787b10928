"""What reading a photograph gives, and how it is refused.

Every reader (client.data.raster for files of cameras, client.data.dicom) answers in these two forms and keeps the
same limits, so that the image store, `check` and inference agree about every file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

MAX_IMAGE_PIXELS = 100_000_000  # the largest fundus cameras make 25 million
MAX_FILE_BYTES = 300 * 2**20
NO_MEMORY = "decoding it takes more memory than there is"


class UnreadablePhotograph(ValueError):
    """A photograph that cannot be used; the text is the reason, without names or values of its content."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """A photograph upright in 8-bit RGB, possibly at a fraction of its size, and what its file says of it."""

    picture: Image.Image
    width: int  # as stored in the file
    height: int
    mode: str  # Pillow's mode, or DICOM's photometric interpretation
    info: Mapping[Any, Any] = field(default_factory=dict)
    exif: Image.Exif | None = None  # none where damaged


def require_size(width: int, height: int) -> None:
    """Refuse more pixels than any camera makes, before memory is taken for them."""
    if width * height > MAX_IMAGE_PIXELS:
        raise UnreadablePhotograph(too_large())


def too_large() -> str:
    """The reason for which a decompression bomb is refused."""
    return f"more than {MAX_IMAGE_PIXELS // 1_000_000} million pixels"
