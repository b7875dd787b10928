from __future__ import annotations

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset

from client.data.container import TRUNCATED
from client.data.decoded import UnreadablePhotograph
from client.data.pipeline import prepare
from tests.client.data.dicom.files import (
    disc,
    header,
    image_elements,
    jpeg,
    jpeg_2000,
    jpeg_ls_stream,
    lossless_jpeg,
    palette,
    photograph,
    rle,
    written,
)

GREY = disc()[..., 1].copy()
DEEP = (GREY.astype(np.uint16) << 4) | (GREY >> 4)  # 12 bits


REFUSED: list[tuple[str, bytes]] = [
    (r"another kind \(Ophthalmic Tomography Image\)", photograph(SOPClassUID="1.2.840.10008.5.1.4.1.1.77.1.5.4")),
    (r"another kind \(Wide Field Ophthalmic", photograph(SOPClassUID="1.2.840.10008.5.1.4.1.1.77.1.5.5")),
    (r"another kind \(a class that is not registered\)", photograph(SOPClassUID="1.2.3.4")),
    (r"another kind \(no class is named\)", photograph(SOPClassUID=None)),
    ("of 7 frames", photograph(NumberOfFrames=7)),
    ("of 0 frames", photograph(NumberOfFrames=0)),
    ("an angiogram", photograph(ContrastBolusAgent="FLUORESCEIN")),
    ("photometric interpretation that is not read", photograph(PhotometricInterpretation="HSV")),
    ("fit together", photograph(SamplesPerPixel=1)),
    ("fit together", photograph(Rows=None)),
    ("fit together", photograph(Rows=0)),
    ("whole numbers of 8 to 16 bits", photograph(BitsAllocated=32, BitsStored=32, HighBit=31)),
    ("whole numbers of 8 to 16 bits", photograph(BitsStored=12, HighBit=11)),
    ("whole numbers of 8 to 16 bits", photograph(BitsStored=0)),
    ("signed pixels", photograph(PixelRepresentation=1)),
    ("more than 100 million pixels", photograph(Rows=60000, Columns=60000)),
    (TRUNCATED[:9], photograph(Rows=9999, Columns=9999)),
    ("HTJ2K|High-Throughput", photograph(syntax=uid.HTJ2KLossless)),
    ("MPEG-4 AVC/H.264 High Profile", photograph(syntax=uid.MPEG4HP41)),
    ("of this file, which is not registered, is not read", photograph().replace(b"10008.1.2.1\0", b"10008.1.9.9\0")),
    ("contradicts its compressed pixels", photograph(syntax=uid.JPEGBaseline8Bit, value=jpeg(disc(64, 64)))),
    ("contradicts its compressed pixels", photograph(syntax=uid.JPEGBaseline8Bit, value=jpeg(GREY))),
    ("contradicts its compressed pixels", photograph(syntax=uid.JPEGLSLossless, value=jpeg_ls_stream(GREY))),
    ("contradicts its compressed pixels", photograph(syntax=uid.JPEG2000, value=jpeg_2000(disc(64, 64)))),
    ("contradicts its compressed pixels", photograph(syntax=uid.RLELossless, value=rle(GREY))),
    ("not what its transfer syntax says", photograph(syntax=uid.JPEGBaseline8Bit, value=jpeg_2000(disc()))),
    ("more than 8 bits is not read", photograph(DEEP, "MONOCHROME2", uid.JPEGLossless, lossless_jpeg(DEEP, 12))),
    ("palette that cannot be read", photograph(GREY, "PALETTE COLOR")),
    ("palette behind lossy", photograph(GREY, "PALETTE COLOR", uid.JPEGBaseline8Bit, jpeg(GREY), **palette())),
    ("YBR_FULL_422 that does not exist", photograph(disc(47), "YBR_FULL_422", value=disc(47)[..., :2].tobytes())),
    ("demands", written(header(**image_elements(disc(), "RGB")), disc().tobytes()).replace(
        uid.ExplicitVRLittleEndian.encode() + b"\0", uid.RLELossless.encode() + b"\0")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "data"), REFUSED, ids=[f"{n}-{r[:24]}" for n, (r, _) in enumerate(REFUSED)]
)
def test_what_is_not_read_is_refused_by_name(reason: str, data: bytes) -> None:
    with pytest.raises(UnreadablePhotograph, match=reason):
        prepare(data, 32)


@pytest.mark.parametrize(
    ("syntax", "frame"),
    [
        (uid.ExplicitVRLittleEndian, disc().tobytes()),
        (uid.DeflatedExplicitVRLittleEndian, disc().tobytes()),
        (uid.RLELossless, rle(disc())),
        (uid.JPEGBaseline8Bit, jpeg(disc())),
        (uid.JPEGLossless, lossless_jpeg(disc())),
        (uid.JPEGLSLossless, jpeg_ls_stream(disc())),
        (uid.JPEG2000, jpeg_2000(disc())),
    ],
)
def test_a_file_cut_anywhere_is_refused(syntax: str, frame: bytes) -> None:
    data = photograph(syntax=syntax, value=frame)
    whole = len(data) - (syntax == uid.DeflatedExplicitVRLittleEndian)  # whose last byte only makes it even
    for kept in [*range(1, whole - 1, max(1, whole // 60)), *range(whole - 24, whole)]:
        with pytest.raises(UnreadablePhotograph):
            prepare(data[:kept], 32)
    short = photograph(syntax=syntax, value=frame[: len(frame) * 2 // 3])
    with pytest.raises(UnreadablePhotograph, match=r"truncated|damaged"):
        prepare(short, 32)


def test_a_file_without_pixel_data_is_refused() -> None:
    dataset: Dataset = header(**image_elements(disc(), "RGB"))
    with pytest.raises(UnreadablePhotograph, match="ends before its pixel data, or has none"):
        prepare(written(dataset, b"", raw=True), 32)
