from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from client.data.container import ALTERED, TRUNCATED, container_fault
from client.data.pipeline import UnreadablePhotograph, prepare

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8))


def encoded(kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    PICTURE.save(buffer, kind, **options)
    return buffer.getvalue()


JPEGS = [encoded("JPEG"), encoded("JPEG", progressive=True), encoded("JPEG", restart_marker_rows=1)]


@pytest.mark.parametrize("data", [*JPEGS, encoded("PNG"), encoded("TIFF"), encoded("BMP")])
def test_a_whole_file_has_no_fault(data: bytes) -> None:
    assert container_fault(data) == ""


@pytest.mark.parametrize("data", [*JPEGS, encoded("PNG")])
def test_a_file_cut_anywhere_is_truncated(data: bytes) -> None:
    for length in range(10, len(data), 7):
        assert container_fault(data[:length]) == TRUNCATED
    for cut in range(1, 13):  # so near the end that a decoder has all it needs
        with pytest.raises(UnreadablePhotograph, match="end of the file is missing"):
            prepare(data[:-cut], 32)


@pytest.mark.parametrize("data", [*JPEGS, encoded("PNG")])
@pytest.mark.parametrize("tail", [bytes(100), b"\r\n", bytes(range(256)) * 5, b"\xff\xd8\xff\xe0"])
def test_what_follows_the_end_does_not_matter(data: bytes, tail: bytes) -> None:
    assert container_fault(data + tail) == ""
    assert prepare(data + tail, 32).shape == (3, 32, 32)


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_photograph() -> None:
    whole = encoded("JPEG", comment=JPEGS[0][:4000] + b"\xff\xd9")
    assert container_fault(whole) == ""
    assert container_fault(whole[:-40]) == TRUNCATED


def test_a_changed_byte_of_a_png_is_found_by_its_checksum() -> None:
    data = bytearray(encoded("PNG"))
    data[len(data) // 2] ^= 1
    assert container_fault(bytes(data)) == ALTERED
    with pytest.raises(UnreadablePhotograph, match="checksum"):
        prepare(bytes(data), 32)


def test_a_png_of_nothing_but_empty_pieces_is_refused_in_bounded_time() -> None:
    assert container_fault(b"\x89PNG\r\n\x1a\n" + b"\0\0\0\0tEXt\0\0\0\0" * 300_000) == ALTERED
