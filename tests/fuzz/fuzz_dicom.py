"""Small DICOM ophthalmic photographs, sound and hostile."""

from __future__ import annotations

import io
import struct
import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    generate_uid,
)

OP_8_BIT = "1.2.840.10008.5.1.4.1.1.77.1.5.1"


def sound_dicom(random: np.random.Generator, pixels: NDArray[np.uint8]) -> bytes:
    """An ophthalmic photograph, uncompressed or as JPEG."""
    return _written(_dataset(random, pixels), pixels, jpeg=bool(random.integers(2)))


def _dataset(random: np.random.Generator, pixels: NDArray[np.uint8]) -> Dataset:
    found = Dataset()
    found.SOPClassUID, found.SOPInstanceUID = (
        OP_8_BIT,
        generate_uid(entropy_srcs=[str(random.integers(1 << 30))]),
    )
    found.PatientID, found.PatientName, found.PatientSex, found.PatientAge = "p1", "", "F", "061Y"
    found.ImageLaterality, found.Modality, found.StudyDate = "R", "OP", "20210514"
    found.Rows, found.Columns = pixels.shape[:2]
    found.SamplesPerPixel, found.PhotometricInterpretation, found.PlanarConfiguration = 3, "RGB", 0
    found.BitsAllocated, found.BitsStored, found.HighBit, found.PixelRepresentation = 8, 8, 7, 0
    return found


def _written(found: Dataset, pixels: NDArray[np.uint8], *, jpeg: bool = False, syntax: str = "") -> bytes:
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = syntax or (JPEGBaseline8Bit if jpeg else ExplicitVRLittleEndian)
    if jpeg:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG")
        found.PixelData = encapsulate([buffer.getvalue()])
        found["PixelData"].is_undefined_length = True
        found.PhotometricInterpretation = "YBR_FULL_422"
    elif "PixelData" not in found:
        found.PixelData = pixels.tobytes()
    out = io.BytesIO()
    dcmwrite(out, found, enforce_file_format=True)
    return out.getvalue()


def hostile_dicom(name: str, random: np.random.Generator, pixels: NDArray[np.uint8]) -> bytes:
    """One of the kinds listed in fuzz_inputs.HOSTILE."""
    found = _dataset(random, pixels)
    sound = _written(_dataset(random, pixels), pixels)
    pixel_header = struct.pack("<HH", 0x7FE0, 0x0010)
    at = sound.rindex(pixel_header)
    made = {
        "length of 4 GB": sound[: at + 8] + b"\xff\xff\xff\xfe" + sound[at + 12 :],
        "undefined length": sound[: at + 8] + b"\xff\xff\xff\xff" + sound[at + 12 :],
        "preamble alone": bytes(128) + b"DICM",
        "no pixels": sound[:at],
        "nested sequences": _nested(sound, 3000),
    }
    if name in made:
        return made[name]
    if name == "deflated bomb":
        head = _written(_dataset(random, pixels), pixels, syntax=DeflatedExplicitVRLittleEndian)
        start = 132 + 12 + struct.unpack("<I", head[140:144])[0]
        return head[:start] + _bomb(sound[start:])
    if name == "frames that are not there":
        found.NumberOfFrames = "100000000"
    elif name == "odd bits":
        found.BitsAllocated, found.BitsStored, found.HighBit = 13, 99, 3
    elif name == "huge rows":
        found.Rows = found.Columns = 65535
    elif name == "encapsulated nonsense":
        found.PixelData = encapsulate([random.bytes(500)])
        found["PixelData"].is_undefined_length = True
        return _written(found, pixels, syntax=JPEGBaseline8Bit)
    elif name == "implicit":
        return _written(found, pixels, syntax=ImplicitVRLittleEndian)
    elif name == "jpeg inside cut":
        whole = _written(found, pixels, jpeg=True)
        return whole[: len(whole) // 2]
    return _written(found, pixels)


def _nested(sound: bytes, depth: int) -> bytes:
    """Sequences within sequences, before the patient's own elements."""
    at = sound.index(struct.pack("<HH", 0x0010, 0x0010))
    opened = b"\x08\x00\x15\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    closed = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    return sound[:at] + opened * depth + closed * depth + sound[at:]


@lru_cache(maxsize=2)
def _bomb(start: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return packer.compress(start + bytes(600_000_000)) + packer.flush()
