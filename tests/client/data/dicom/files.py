"""Small real DICOM files: one photograph in every encoding that can be written here."""

from __future__ import annotations

import io
import struct
from typing import Any

import jpeg_ls
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate

OPHTHALMIC_8 = uid.OphthalmicPhotography8BitImageStorage
Pixels = NDArray[Any]


def disc(width: int = 48, height: int = 40) -> NDArray[np.uint8]:
    """A reddish disc with a bright spot and a gradient, on black: (height, width, 3)."""
    y, x = np.mgrid[:height, :width]
    pixels = np.zeros((height, width, 3), np.uint8)
    inside = (x - width // 2) ** 2 + (y - height // 2) ** 2 < (0.45 * height) ** 2
    pixels[inside] = (180, 90, 30)
    pixels[..., 1] += np.where(inside, x, 0).astype(np.uint8)
    pixels[(x - width // 3) ** 2 + (y - height // 3) ** 2 < 9] = (250, 240, 120)
    return pixels


def header(**elements: Any) -> Dataset:
    """What the header of a colour fundus photograph says; elements: other values by keyword, None to leave one out."""
    dataset = Dataset()
    given = {
        "SOPClassUID": OPHTHALMIC_8,
        "SOPInstanceUID": "1.2.826.0.1.3680043.9.1.1",
        "StudyInstanceUID": "1.2.826.0.1.3680043.9.2.1",
        "Modality": "OP",
        "PatientID": "P-1",
        "NumberOfFrames": 1,
        **elements,
    }
    for keyword, value in given.items():
        if value is not None:
            setattr(dataset, keyword, value)
    return dataset


def image_elements(pixels: Pixels, photometric: str, stored: int = 0) -> dict[str, Any]:
    """The image pixel module for an array of samples."""
    allocated = pixels.dtype.itemsize * 8
    samples = 1 if pixels.ndim == 2 else pixels.shape[2]
    return {
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "SamplesPerPixel": samples,
        "PhotometricInterpretation": photometric,
        "BitsAllocated": allocated,
        "BitsStored": stored or allocated,
        "HighBit": (stored or allocated) - 1,
        "PixelRepresentation": 0,
        **({"PlanarConfiguration": 0} if samples == 3 else {}),
    }


def written(
    dataset: Dataset,
    value: bytes,
    syntax: str = uid.ExplicitVRLittleEndian,
    vr: str = "OB",
    *,
    raw: bool = False,
) -> bytes:
    """The file of a data set with this pixel data; raw: value is what the element holds, not one frame of it."""
    syntax = uid.UID(syntax)
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", OPHTHALMIC_8)
    meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "1.2.3")
    file = FileDataset(
        "",
        dataset,
        file_meta=meta,
        preamble=bytes(128),
        is_implicit_VR=syntax.is_implicit_VR,
        is_little_endian=syntax.is_little_endian,
    )
    if syntax.is_compressed and not syntax.is_deflated:
        value = value if raw else encapsulate([value])
        vr = "OB"
    else:
        value += bytes(len(value) % 2)
    if value or not raw:
        file.add_new(0x7FE00010, vr, value)
        file["PixelData"].is_undefined_length = bool(syntax.is_compressed and not syntax.is_deflated)
    buffer = io.BytesIO()
    file.save_as(
        buffer,
        enforce_file_format=False,
        implicit_vr=syntax.is_implicit_VR,
        little_endian=syntax.is_little_endian,
    )
    return buffer.getvalue()


def photograph(
    pixels: Pixels | None = None,
    photometric: str = "RGB",
    syntax: str = uid.ExplicitVRLittleEndian,
    value: bytes | None = None,
    vr: str = "OB",
    **elements: Any,
) -> bytes:
    """The file of a photograph; value: its pixel data or its frame, the samples as they are unless given."""
    pixels = disc() if pixels is None else pixels
    stored = {**image_elements(pixels, photometric), **elements}
    value = pixels.tobytes() if value is None else value
    return written(header(**stored), value, syntax, vr)


def jpeg(pixels: Pixels, **options: Any) -> bytes:
    """A JPEG stream as Pillow writes it, with JFIF's mark."""
    buffer = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(buffer, "JPEG", **{"quality": 100, "subsampling": 0, **options})
    return buffer.getvalue()


def without_jfif(stream: bytes) -> bytes:
    """The stream without the mark that says how its colours are coded."""
    assert stream[2:4] == b"\xff\xe0"
    return stream[:2] + stream[4 + struct.unpack(">H", stream[4:6])[0] :]


def jpeg_of_samples(pixels: Pixels) -> bytes:
    """A JPEG stream of three components that are not transformed, and no mark that says so."""
    return without_jfif(jpeg(Image.frombytes("YCbCr", pixels.shape[1::-1], pixels.tobytes())))


def jpeg_2000(pixels: Pixels, **options: Any) -> bytes:
    """A JPEG 2000 codestream."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG2000", no_jp2=True, **options)
    return buffer.getvalue()


def jpeg_ls_stream(pixels: Pixels, interleave: int = 0, error: int = 0) -> bytes:
    """A JPEG-LS stream; interleave: 0 planes, 1 lines, 2 pixels."""
    planes = (
        np.ascontiguousarray(pixels.transpose(2, 0, 1)) if pixels.ndim == 3 and interleave == 0 else pixels
    )
    samples = 3 if pixels.ndim == 3 else 1
    stored = max(2, int(pixels.max()).bit_length()) if pixels.dtype == np.uint16 else 8
    return bytes(
        jpeg_ls.encode_buffer(
            planes.tobytes(),
            rows=pixels.shape[0],
            columns=pixels.shape[1],
            samples_per_pixel=samples,
            bits_stored=stored,
            interleave_mode=interleave,
            lossy_error=error,
        )
    )


def lossless_jpeg(pixels: Pixels, bits: int = 8) -> bytes:
    """Lossless JPEG with the first predictor (ITU T.81, annex H), all differences in codes of five bits."""
    samples = pixels.reshape(*pixels.shape[:2], -1).astype(np.int64)
    height, width, count = samples.shape
    left = np.roll(samples, 1, axis=1)
    left[:, 0] = np.roll(samples[:, 0], 1, axis=0)
    left[0, 0] = 1 << (bits - 1)
    coded = []
    for value in ((samples - left + 32768) % 65536 - 32768).reshape(-1).tolist():
        size = abs(value).bit_length()
        coded.append(format(size, "05b"))
        if size:
            coded.append(format(value if value > 0 else value + (1 << size) - 1, f"0{size}b"))
    text = "".join(coded)
    text += "1" * (-len(text) % 8)
    scan = int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\0")
    table = bytes([0]) + bytes([0] * 4 + [17] + [0] * 11) + bytes(range(17))
    frame = struct.pack(">BHHB", bits, height, width, count)
    frame += b"".join(bytes([n, 0x11, 0]) for n in range(1, count + 1))
    order = bytes([count]) + b"".join(bytes([n, 0]) for n in range(1, count + 1)) + bytes([1, 0, 0])
    segments = ((0xC4, table), (0xC3, frame), (0xDA, order))
    marked = b"".join(bytes([255, m]) + struct.pack(">H", len(body) + 2) + body for m, body in segments)
    return b"\xff\xd8" + marked + scan + b"\xff\xd9"


def packbits(plane: bytes) -> bytes:
    """PackBits of literal runs and of repeats, which may cross rows."""
    packed, position = bytearray(), 0
    while position < len(plane):
        run = 1
        while run < 128 and plane[position : position + 1] == plane[position + run : position + run + 1]:
            run += 1
        if run > 1:
            packed += bytes([257 - run]) + plane[position : position + 1]
        else:
            packed += bytes([0]) + plane[position : position + 1]
        position += run
    return bytes(packed) + bytes(len(packed) % 2)


def rle(pixels: Pixels) -> bytes:
    """An RLE frame: a segment for each byte of each sample, the highest first."""
    samples = pixels.reshape(*pixels.shape[:2], -1)
    size = pixels.dtype.itemsize
    planes = [
        (samples[..., channel] >> 8 * (size - 1 - byte) & 255).astype(np.uint8).tobytes()
        for channel in range(samples.shape[2])
        for byte in range(size)
    ]
    segments = [packbits(plane) for plane in planes]
    offsets = np.cumsum([64, *(len(segment) for segment in segments)])[: len(segments)].tolist()
    return struct.pack("<16L", len(segments), *offsets, *[0] * (15 - len(segments))) + b"".join(segments)


def full_range_ycbcr(pixels: Pixels) -> NDArray[np.uint8]:
    """RGB as YBR_FULL."""
    return np.asarray(Image.fromarray(pixels).convert("YCbCr"))


def palette(bits: int = 8, first: int = 0, entries: int = 256) -> dict[str, Any]:
    """The elements of a palette: red rises, green falls, blue rises at half the pace."""
    levels = np.arange(entries)
    tables = {"Red": levels % 256, "Green": 255 - levels % 256, "Blue": levels // 2 % 256}
    elements: dict[str, Any] = {}
    for colour, table in tables.items():
        data = table.astype(np.uint8).tobytes() if bits == 8 else (table * 257).astype("<u2").tobytes()
        elements[f"{colour}PaletteColorLookupTableDescriptor"] = [entries % 65536, first, bits]
        elements[f"{colour}PaletteColorLookupTableData"] = data
    return elements
