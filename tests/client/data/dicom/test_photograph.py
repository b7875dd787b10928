from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset

from client.data.pipeline import decode, prepare
from tests.client.data.dicom.files import (
    disc,
    full_range_ycbcr,
    header,
    image_elements,
    jpeg,
    jpeg_2000,
    jpeg_ls_stream,
    jpeg_of_samples,
    lossless_jpeg,
    palette,
    photograph,
    rle,
    without_jfif,
    written,
)

GREY = disc()[..., 1].copy()
DEEP = (GREY.astype(np.uint16) << 4) | (GREY >> 4)  # 12 bits


def pixels(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(decode(data, 64).picture)


def worst(data: bytes, wanted: NDArray[Any]) -> int:
    seen = pixels(data).astype(int)
    wanted = wanted.astype(int)
    return int(np.abs(seen - (wanted[..., None] if wanted.ndim == 2 else wanted)).max())


NATIVE = [
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.DeflatedExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
]


@pytest.mark.parametrize("syntax", NATIVE)
@pytest.mark.parametrize("vr", ["OB", "OW"])
def test_uncompressed_photographs_are_read_exactly(syntax: str, vr: str) -> None:
    value = disc().tobytes()
    if syntax == uid.ExplicitVRBigEndian and vr == "OW":
        value = np.frombuffer(value, "<u2").byteswap().tobytes()
    assert worst(photograph(syntax=syntax, value=value, vr=vr), disc()) == 0


@pytest.mark.parametrize(
    ("syntax", "frame"),
    [
        (uid.RLELossless, rle(disc())),
        (uid.JPEGLossless, lossless_jpeg(disc())),
        (uid.JPEGLosslessSV1, lossless_jpeg(disc())),
        (uid.JPEGLSLossless, jpeg_ls_stream(disc(), 0)),
        (uid.JPEGLSLossless, jpeg_ls_stream(disc(), 1)),
        (uid.JPEGLSLossless, jpeg_ls_stream(disc(), 2)),
        (uid.JPEG2000Lossless, jpeg_2000(disc(), irreversible=False)),
        (uid.JPEG2000Lossless, jpeg_2000(disc(), irreversible=False, mct=0)),
    ],
)
def test_losslessly_compressed_photographs_are_read_exactly(syntax: str, frame: bytes) -> None:
    assert worst(photograph(syntax=syntax, value=frame), disc()) == 0


@pytest.mark.parametrize(
    ("syntax", "frame", "tolerance"),
    [
        (uid.JPEGBaseline8Bit, jpeg(disc()), 4),
        (uid.JPEGExtended12Bit, jpeg(disc()), 4),
        (uid.JPEGLSNearLossless, jpeg_ls_stream(disc(), 2, error=3), 3),
        (uid.JPEG2000, jpeg_2000(disc(), irreversible=True, quality_mode="rates", quality_layers=[2]), 16),
    ],
)
def test_lossily_compressed_photographs_are_read_to_their_codecs_tolerance(
    syntax: str, frame: bytes, tolerance: int
) -> None:
    assert worst(photograph(syntax=syntax, value=frame), disc()) <= tolerance


def test_a_jpeg_in_a_dicom_file_gives_the_pixels_it_gives_alone() -> None:
    stream = jpeg(np.tile(disc(), (20, 20, 1)), subsampling=2)
    inside = photograph(np.tile(disc(), (20, 20, 1)), "YBR_FULL_422", uid.JPEGBaseline8Bit, stream)
    assert np.array_equal(prepare(inside, 64), prepare(stream, 64))


def test_pydicoms_own_encoder_and_decoder_agree() -> None:
    dataset = header(**image_elements(disc(), "RGB"))
    dataset.PixelData = disc().tobytes()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    for syntax in (uid.RLELossless, uid.JPEGLSLossless):
        dataset.compress(syntax, generate_instance_uid=False)
        buffer = io.BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
        assert worst(buffer.getvalue(), disc()) == 0
        dataset.decompress(generate_instance_uid=False)


def test_planes_are_put_together() -> None:
    planes = np.ascontiguousarray(disc().transpose(2, 0, 1)).tobytes()
    assert worst(photograph(value=planes, PlanarConfiguration=1), disc()) == 0


@pytest.mark.parametrize(
    "syntax", [uid.ExplicitVRLittleEndian, uid.RLELossless, uid.JPEGLossless, uid.JPEG2000Lossless]
)
def test_ybr_full_is_turned_into_rgb(syntax: str) -> None:
    samples = full_range_ycbcr(disc())
    frames = {
        uid.ExplicitVRLittleEndian: samples.tobytes(),
        uid.RLELossless: rle(samples),
        uid.JPEGLossless: lossless_jpeg(samples),
        uid.JPEG2000Lossless: jpeg_2000(samples, irreversible=False, mct=0),
    }
    assert worst(photograph(photometric="YBR_FULL", syntax=syntax, value=frames[syntax]), disc()) <= 3


def test_subsampled_ybr_is_turned_into_rgb_also_where_it_is_not_subsampled_in_truth() -> None:
    samples = full_range_ycbcr(np.repeat(disc()[:, ::2], 2, axis=1))
    pairs = np.concatenate([samples[:, ::2, :1], samples[:, 1::2, :1], samples[:, ::2, 1:]], axis=2)
    wanted = np.repeat(disc()[:, ::2], 2, axis=1)
    for value in (pairs.tobytes(), samples.tobytes()):
        assert worst(photograph(samples, "YBR_FULL_422", value=value), wanted) <= 3


@pytest.mark.parametrize("photometric", ["YBR_RCT", "YBR_ICT", "RGB"])
def test_jpeg_2000_undoes_its_own_transform(photometric: str) -> None:
    frame = jpeg_2000(disc(), irreversible=False, mct=1)
    assert worst(photograph(photometric=photometric, syntax=uid.JPEG2000, value=frame), disc()) == 0


def test_where_a_jpeg_does_not_say_how_its_colours_are_coded_the_header_does() -> None:
    as_rgb = photograph(photometric="RGB", syntax=uid.JPEGBaseline8Bit, value=jpeg_of_samples(disc()))
    assert worst(as_rgb, disc()) <= 4
    silent = without_jfif(jpeg(disc()))
    assert worst(photograph(photometric="YBR_FULL", syntax=uid.JPEGBaseline8Bit, value=silent), disc()) <= 4
    marked = photograph(photometric="RGB", syntax=uid.JPEGBaseline8Bit, value=jpeg(disc()))  # a common lie
    assert worst(marked, disc()) <= 4


@pytest.mark.parametrize(
    ("syntax", "encode"),
    [
        (uid.ExplicitVRLittleEndian, lambda grey: grey.tobytes()),
        (uid.RLELossless, rle),
        (uid.JPEGLossless, lossless_jpeg),
        (uid.JPEGLSLossless, jpeg_ls_stream),
        (uid.JPEG2000Lossless, lambda grey: jpeg_2000(grey, irreversible=False)),
        (uid.JPEGBaseline8Bit, jpeg),
    ],
)
def test_greyscale_is_read_and_monochrome1_is_inverted(syntax: str, encode: Any) -> None:
    tolerance = 4 if syntax == uid.JPEGBaseline8Bit else 0
    assert worst(photograph(GREY, "MONOCHROME2", syntax, encode(GREY)), GREY) <= tolerance
    assert worst(photograph(GREY, "MONOCHROME1", syntax, encode(GREY)), 255 - GREY) <= tolerance


@pytest.mark.parametrize(
    ("syntax", "encode"),
    [
        (uid.ExplicitVRLittleEndian, lambda deep: deep.tobytes()),
        (uid.ExplicitVRBigEndian, lambda deep: deep.byteswap().tobytes()),
        (uid.RLELossless, rle),
        (uid.JPEGLSLossless, jpeg_ls_stream),
        (uid.JPEG2000Lossless, lambda deep: jpeg_2000(deep, irreversible=False)),
    ],
)
def test_deep_samples_are_scaled_by_the_bits_that_are_stored(syntax: str, encode: Any) -> None:
    deep = DEEP.copy()
    deep[0, 0] = 4095
    wanted = np.rint(deep * (255 / 4095))
    stored = image_elements(deep, "MONOCHROME2", 12)
    vr = "OW" if syntax in NATIVE else "OB"
    data = photograph(deep, "MONOCHROME2", syntax, encode(deep), vr, BitsStored=12, HighBit=11,
                      SOPClassUID=uid.OphthalmicPhotography16BitImageStorage)  # fmt: skip
    assert stored["BitsAllocated"] == 16
    assert worst(data, wanted) <= 1


def test_dark_photographs_stay_dark() -> None:
    dark = (DEEP // 8).astype(np.uint16)
    data = photograph(dark, "MONOCHROME2", vr="OW", BitsStored=12, HighBit=11)
    assert pixels(data).max() == round(int(dark.max()) * 255 / 4095)


def test_bits_that_are_not_stored_do_not_count() -> None:
    shifted = (DEEP << 4 | 7).astype(np.uint16)
    assert (
        worst(
            photograph(shifted, "MONOCHROME2", vr="OW", BitsStored=12, HighBit=15),
            np.rint(DEEP * (255 / 4095)),
        )
        == 0
    )


def test_deep_colour_is_read() -> None:
    deep = disc().astype(np.uint16) * 257
    assert worst(photograph(deep, vr="OW"), disc()) == 0
    assert worst(photograph(deep, syntax=uid.RLELossless, value=rle(deep)), disc()) == 0


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(
    "syntax", [uid.ExplicitVRLittleEndian, uid.RLELossless, uid.JPEGLossless, uid.ImplicitVRLittleEndian]
)
def test_palette_colours_are_looked_up(bits: int, syntax: str) -> None:
    values = {uid.RLELossless: rle(GREY), uid.JPEGLossless: lossless_jpeg(GREY)}
    data = photograph(GREY, "PALETTE COLOR", syntax, values.get(syntax), **palette(bits))
    assert worst(data, np.dstack([GREY, 255 - GREY, GREY // 2])) == 0


def test_a_palette_may_begin_later_and_end_earlier() -> None:
    data = photograph(GREY, "PALETTE COLOR", **palette(16, first=30, entries=101))
    index = np.clip(GREY.astype(int) - 30, 0, 100)
    assert worst(data, np.dstack([index, 255 - index, index // 2])) == 0


def test_a_frame_in_several_fragments_with_a_table_of_offsets_is_joined() -> None:
    frame = rle(disc())
    half = len(frame) // 4 * 2
    items = [np.uint32(0).tobytes(), frame[:half], frame[half:]]
    value = (
        b"".join(b"\xfe\xff\x00\xe0" + len(i).to_bytes(4, "little") + i for i in items)
        + b"\xfe\xff\xdd\xe0"
        + bytes(4)
    )
    dataset = header(**image_elements(disc(), "RGB"))
    assert worst(written(dataset, value, uid.RLELossless, raw=True), disc()) == 0


@pytest.mark.parametrize(
    "uid_", ["1.2.840.10008.5.1.4.1.1.77.1.4", "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.7.4"]
)
def test_other_photographs_of_visible_light_and_secondary_captures_are_read(uid_: str) -> None:
    assert worst(photograph(SOPClassUID=uid_), disc()) == 0


def test_what_the_file_says_of_itself_is_kept() -> None:
    decoded = decode(photograph(photometric="YBR_FULL"), 64)
    assert (decoded.width, decoded.height, decoded.mode) == (48, 40, "YBR_FULL")


def test_absent_optional_elements_are_filled_in() -> None:
    data = photograph(
        BitsStored=None, HighBit=None, PixelRepresentation=None, NumberOfFrames=None, PlanarConfiguration=None
    )
    assert worst(data, disc()) == 0


def test_a_picture_of_the_photograph_in_the_header_is_not_the_photograph() -> None:
    icon = Dataset()
    for keyword, value in image_elements(GREY[:8, :8], "MONOCHROME2").items():
        setattr(icon, keyword, value)
    icon.PixelData = GREY[:8, :8].tobytes()
    icon["PixelData"].VR = "OB"
    assert worst(photograph(IconImageSequence=[icon]), disc()) == 0
