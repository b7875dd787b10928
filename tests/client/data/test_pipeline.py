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
from PIL import Image, ImageCms

from client.data.pipeline import UnreadablePhotograph, decode, field_of_view, prepare


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


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int, kind: str) -> None:
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
    turned = prepare(encoded(stored, kind, exif=exif, quality=95, subsampling=0), 64).astype(int)
    assert np.abs(turned - prepare(encoded(upright), 64)).mean() < (2 if kind == "JPEG" else 1e-9)


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


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_deep_greyscale_is_scaled_by_its_declared_depth(kind: str) -> None:
    ramp = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (64, 1))
    pixels = np.asarray(decode(encoded(ramp, kind), 64).picture)
    assert np.abs(pixels[32, :, 0].astype(int) - np.linspace(0, 255, 64)).max() <= 1
    assert np.array_equal(pixels[..., 0], pixels[..., 2])
    assert np.asarray(decode(encoded((ramp // 16).astype(np.uint16), kind), 64).picture).max() == 16


def test_a_tiff_may_declare_that_it_uses_fewer_bits() -> None:
    ramp = np.tile(np.linspace(0, 4095, 64).astype(np.uint16), (64, 1))
    pixels = np.asarray(decode(encoded(ramp, "TIFF", tiffinfo={281: 4095}), 64).picture)
    assert np.abs(pixels[32, :, 0].astype(int) - np.linspace(0, 255, 64)).max() <= 1


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_pixels_without_a_declared_range_are_refused(dtype: Any) -> None:
    with pytest.raises(UnreadablePhotograph, match="no range is declared"):
        prepare(encoded(np.ones((40, 40), dtype), "TIFF"), 64)


def deep_png(pixels: NDArray[np.uint8], colour: int) -> bytes:
    """A PNG of 16 bits a channel, which Pillow does not write; colour: PNG's colour type."""
    rows = b"".join(b"\0" + (row.astype(">u2") * 257).astype(">u2").tobytes() for row in pixels)
    return png(pixels.shape[1], pixels.shape[0], rows, 16, colour)


def test_sixteen_bits_a_channel_are_read() -> None:
    assert np.abs(prepare(deep_png(disc(), 2), 64).astype(int) - prepare(encoded(disc()), 64)).max() <= 1


def ycck(stream: bytes) -> bytes:
    """A JPEG of inverted CMYK declared to be YCCK by Adobe's mark."""
    at = stream.index(b"Adobe") + 11
    return stream[:at] + b"\x02" + stream[at + 1 :]


def test_cmyk_and_ycck_are_read_with_adobes_inversion() -> None:
    y_cb_cr = np.asarray(Image.fromarray(255 - disc()).convert("YCbCr"))
    inks = np.dstack(
        [255 - y_cb_cr, np.zeros(disc().shape[:2], np.uint8)]
    )  # Pillow inverts when it writes CMYK
    as_ycck = Image.frombytes("CMYK", (200, 150), np.ascontiguousarray(inks).tobytes())
    whole = prepare(encoded(disc()), 64).astype(int)
    for data in (
        encoded(Image.fromarray(disc()).convert("CMYK"), "JPEG", quality=100),
        ycck(encoded(as_ycck, "JPEG", quality=100)),
    ):
        assert np.abs(prepare(data, 64).astype(int) - whole).mean() < 2


def test_lab_is_read() -> None:
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    lab = ImageCms.applyTransform(Image.fromarray(disc()), ImageCms.buildTransform(*profiles, "RGB", "LAB"))
    assert lab is not None
    assert np.abs(prepare(encoded(lab, "TIFF"), 64).astype(int) - prepare(encoded(disc()), 64)).max() <= 4


def test_a_colour_profile_changes_nothing() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for kind in ("JPEG", "PNG", "TIFF"):
        assert np.array_equal(
            prepare(encoded(disc(), kind, icc_profile=profile), 64), prepare(encoded(disc(), kind), 64)
        )


def test_a_tiff_of_several_pages_and_an_animated_png_are_refused() -> None:
    other = [Image.fromarray(255 - disc())]
    with pytest.raises(UnreadablePhotograph, match="several pages"):
        prepare(encoded(disc(), "TIFF", save_all=True, append_images=other), 64)
    with pytest.raises(UnreadablePhotograph, match="animated PNG"):
        prepare(encoded(disc(), save_all=True, append_images=other), 64)


def test_a_thumbnail_beside_the_photograph_does_not_matter() -> None:
    thumbnail = Image.fromarray(disc()[::4, ::4].copy())
    thumbnail.encoderinfo = {"tiffinfo": {254: 1}}
    tiff = encoded(disc(), "TIFF", save_all=True, append_images=[thumbnail])
    assert np.array_equal(prepare(tiff, 64), prepare(encoded(disc(), "TIFF"), 64))
    mpo = encoded(disc(), "MPO", quality=90, save_all=True, append_images=[thumbnail])
    assert np.abs(prepare(mpo, 64).astype(int) - prepare(encoded(disc(), "JPEG", quality=90), 64)).max() <= 2


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "AVIF", "JPEG2000"])
def test_formats_that_are_not_read_are_refused_by_name(kind: str) -> None:
    name = {"WEBP": "WebP", "JPEG2000": "JPEG 2000"}.get(kind, kind)
    with pytest.raises(UnreadablePhotograph, match=rf"^{name} is not read"):
        prepare(encoded(disc(), kind), 64)


def test_heic_is_refused_by_name() -> None:
    with pytest.raises(UnreadablePhotograph, match=r"^HEIC is not read"):
        prepare(b"\0\0\0\x18ftypheic" + bytes(100), 64)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"])
def test_a_tiff_that_was_cut_is_called_damaged_not_unknown(compression: str | None) -> None:
    whole = encoded(disc(), "TIFF", compression=compression)
    for kept in (len(whole) // 2, len(whole) - 40):
        with pytest.raises(UnreadablePhotograph, match="damaged or truncated"):
            prepare(whole[:kept], 64)


def png(width: int, height: int, rows: bytes, depth: int = 8, colour: int = 2) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def bomb(width: int, height: int) -> bytes:
    """A PNG that announces more pixels than it holds."""
    return png(width, height, b"\0" * 999)


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
