from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from client.data.pipeline import UnreadablePhotograph, field_of_view, prepare


def disc(width: int = 200, height: int = 150, radius: int = 60) -> NDArray[np.uint8]:
    """A reddish disc on black with a bright spot in its upper left."""
    y, x = np.mgrid[:height, :width]
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[(x - width // 2) ** 2 + (y - height // 2) ** 2 < radius**2] = (180, 90, 30)
    pixels[(x - width // 2 + 25) ** 2 + (y - height // 2 + 25) ** 2 < 100] = (250, 240, 120)
    return pixels


def encoded(image: Image.Image | NDArray[Any], kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, kind, **options)
    return buffer.getvalue()


def test_the_square_has_its_size_and_keeps_colour() -> None:
    pixels = prepare(encoded(disc()), 64)
    assert pixels.shape == (3, 64, 64)
    assert pixels.dtype == np.uint8
    assert pixels[:, 50, 40].tolist() == [180, 90, 30]


def test_the_border_is_cropped_to_the_field_of_view() -> None:
    left, upper, right, lower = field_of_view(disc())
    assert abs(right - left - 119) <= 4
    assert abs(lower - upper - 119) <= 4
    pixels = prepare(encoded(disc()), 64)
    assert pixels[0, 32, 2] > 100
    assert pixels[0, 2, 2] == 0


def test_where_the_disc_lies_in_the_border_does_not_matter() -> None:
    moved = np.roll(disc(), (10, -30), axis=(0, 1))
    assert np.array_equal(prepare(encoded(disc()), 64), prepare(encoded(moved), 64))


def test_noise_and_specks_in_the_border_do_not_stop_the_crop() -> None:
    random = np.random.default_rng(0)
    noisy = np.clip(disc().astype(int) + random.integers(0, 7, disc().shape), 0, 255).astype(np.uint8)
    noisy[3, 5] = noisy[140, 190] = 255
    assert field_of_view(noisy) == field_of_view(disc())


@pytest.mark.parametrize(
    "pixels", [np.zeros((40, 60, 3)), np.full((40, 60, 3), 200), np.full((40, 60, 3), 6)]
)
def test_what_has_no_border_is_not_cropped(pixels: NDArray[Any]) -> None:
    assert field_of_view(pixels.astype(np.uint8)) == (0, 0, 60, 40)


def test_a_speck_of_light_is_no_field_of_view() -> None:
    assert field_of_view(disc(radius=12)) == (0, 0, 200, 150)


def test_a_wide_photograph_is_padded_with_black_not_stretched() -> None:
    pixels = prepare(encoded(np.full((50, 100, 3), 200, np.uint8)), 64)
    assert (pixels[:, 16:48] > 190).all()
    assert (pixels[:, :15] == 0).all()
    assert (pixels[:, 49:] == 0).all()


def test_the_same_bytes_give_the_same_pixels() -> None:
    data = encoded(disc(), "JPEG", quality=90)
    assert np.array_equal(prepare(data, 48), prepare(data, 48))


def test_a_large_jpeg_decoded_small_looks_like_one_decoded_whole() -> None:
    whole = disc(1600, 1200, 500)
    exact = prepare(encoded(whole, "BMP"), 64).astype(int)
    drafted = prepare(encoded(whole, "JPEG", quality=95), 64).astype(int)
    assert np.abs(exact - drafted).mean() < 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    upright = Image.fromarray(disc())
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(prepare(encoded(stored, exif=exif), 64), prepare(encoded(upright), 64))


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "CMYK", "1"])
def test_other_colour_modes_become_rgb(mode: str) -> None:
    kind = "JPEG" if mode == "CMYK" else "PNG"
    pixels = prepare(encoded(Image.fromarray(disc()).convert(mode), kind), 64)
    assert pixels.shape == (3, 64, 64)
    assert pixels.max() > 100
    if mode in {"L", "LA"}:
        assert np.array_equal(pixels[0], pixels[1])
    if mode == "CMYK":
        assert np.abs(pixels[:, 50, 40].astype(int) - [180, 90, 30]).max() < 12


def test_what_is_transparent_is_black() -> None:
    pixels = np.dstack([np.full((40, 40, 3), 200, np.uint8), np.full((40, 40), 255, np.uint8)])
    pixels[:, 20:, 3] = 0
    seen = prepare(encoded(pixels), 40)
    assert seen[0].max() == 200
    assert (seen == 0).any()


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_deep_greyscale_keeps_its_range(bits: int) -> None:
    ramp = np.tile(np.linspace(0, 2**bits - 1, 64).astype(np.uint16), (64, 1))
    pixels = prepare(encoded(Image.fromarray(ramp)), 64)
    assert pixels[0].max() >= 250
    assert np.array_equal(pixels[0], pixels[2])
    assert 110 < pixels[0].mean() < 150


def bomb(width: int, height: int) -> bytes:
    """A PNG that announces more pixels than it holds."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 999))
        + chunk(b"IEND", b"")
    )


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [10_001, 12_000, 60_000])
def test_a_decompression_bomb_is_refused_by_name(side: int) -> None:
    with pytest.raises(UnreadablePhotograph, match="more than 100 million pixels"):
        prepare(bomb(side, side), 64)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"hello", "not an image of a known kind"),
        (b"GIF89a" + bytes(100), "not an image of a known kind"),
        (encoded(disc(), "JPEG")[:-400], "damaged or truncated"),
        (encoded(disc())[:200], "damaged or truncated"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadablePhotograph, match=reason):
        prepare(data, 64)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(
        [encoded(disc(60, 50, 20), "JPEG"), encoded(disc(60, 50, 20)), encoded(disc(60, 50, 20), "TIFF")]
    ),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=6),
    st.floats(0.05, 1),
)
def test_a_mutated_file_is_read_or_refused(data: bytes, flips: list[tuple[float, int]], keep: float) -> None:
    mutated = bytearray(data)
    for where, value in flips:
        mutated[int(where * (len(mutated) - 1))] = value
    try:
        pixels = prepare(bytes(mutated[: int(keep * len(mutated))]), 32)
    except UnreadablePhotograph:
        return
    assert pixels.shape == (3, 32, 32)
