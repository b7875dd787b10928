"""Which elements of a photograph's file would identify somebody: kinds, never values.

EXIF, XMP, PNG texts and JPEG comments. An element that names a person by its meaning (artist, owner) counts
wherever it is filled; free text counts where it holds an identifier or is labelled as the patient's, since
cameras fill it with their own names and settings. Dates and serial numbers are kept apart: nearly every file
has them, and they identify nobody by themselves.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

from client.data.decoded import Decoded

Kinds = tuple[str, ...]
Element = tuple[str, str]  # kind and what it holds

_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_NAMING = {0x013B: "Artist", 0x9C9D: "XPAuthor", 0xA430: "CameraOwnerName", 0x013C: "HostComputer"}
_FREE = {
    0x010D: "DocumentName",
    0x010E: "ImageDescription",
    0x8298: "Copyright",
    0x9286: "UserComment",
    0x9C9B: "XPTitle",
    0x9C9C: "XPComment",
    0x9C9E: "XPKeywords",
    0x9C9F: "XPSubject",
}
_DATES = {0x0132: "DateTime", 0x9003: "DateTimeOriginal", 0x9004: "DateTimeDigitized"}
_DEVICES = {0xA431: "BodySerialNumber", 0xA435: "LensSerialNumber"}
_ENTRIES = {**_NAMING, **_FREE, **_DATES, **_DEVICES}

_NAMING_KEYS = re.compile(r"author|artist|creator$|owner|patient|by-?line", re.IGNORECASE)
_DATED = re.compile(r"Date|Time$|Serial")
_CAMERA_KEYS = re.compile(
    r"software|creatortool|source|make|model|profile|jfif|dpi|gamma|exif$", re.IGNORECASE
)

_XMP_BYTES = 262_144  # a packet is a few kilobytes; what is behind them is not looked at
_XMP = re.compile(rb"<((?:dc|photoshop|exif|xmp|tiff|aux|Iptc4xmpCore):\w+)[^>]*>(.*?)</\1>", re.DOTALL)
_XMP_ATTRIBUTE = re.compile(rb"\b((?:dc|photoshop|exif|xmp|tiff|aux|Iptc4xmpCore):\w+)\s*=\s*[\"']([^\"']*)")
_TAGS = re.compile(r"<[^>]*>")

_LABEL = re.compile(
    r"\b(patient|paciente|name|nome|dob|d\.o\.b|born|birth\w*|nasc\w*|mrn|prontu[aá]rio|record\s*n|cpf|address"
    r"|endere[cç]o)\b",
    re.IGNORECASE,
)
_DICOM_NAME = re.compile(r"[^\W\d_]{2,}\^[^\W\d_]{2,}")
_LONG_NUMBER = re.compile(r"(?<![\d.])\d{6,}(?![\d.])")
_TEXT = 4_000  # characters of one element that are looked at


def header_kinds(data: bytes, decoded: Decoded) -> tuple[Kinds, Kinds]:
    """Kinds that identify, and dates and serial numbers; such as "exif.Artist" or "png.Author", each sorted.

    "dicom." and the element for a DICOM file.
    """
    if data[128:132] == b"DICM":
        from client.data.dicom import header_identifiers

        return tuple(sorted(header_identifiers(data))), ()
    found = {kind for kind, text in (*_exif(decoded), *_texts(decoded.info)) if _identifies(kind, text)}
    dated = {kind for kind in found if _DATED.search(kind)}
    return tuple(sorted(found - dated)), tuple(sorted(dated))


def _exif(decoded: Decoded) -> Iterator[Element]:
    exif = decoded.exif
    if not exif:
        return
    entries: dict[int, Any] = dict(exif)
    entries.update(exif.get_ifd(_EXIF_IFD))
    for tag, name in _ENTRIES.items():
        if tag in entries:
            yield f"exif.{name}", _readable(entries[tag], wide=name.startswith("XP"))
    position = exif.get_ifd(_GPS_IFD)
    if any(tag in position for tag in (2, 4)):  # latitude, longitude; the version alone says nothing
        yield "exif.GPS", "filled"


def _texts(info: Any) -> Iterator[Element]:
    """What a file carries beside EXIF: JPEG comments, PNG texts, XMP."""
    for key, value in info.items():
        if key in ("xmp", "XML:com.adobe.xmp"):
            yield from _xmp(value if isinstance(value, bytes) else str(value).encode())
        elif key == "comment":
            yield "jpeg.comment", _readable(value)
        elif isinstance(key, str) and isinstance(value, str) and not _CAMERA_KEYS.search(key):
            # The key is part of what is judged, but a key may be anything: only known ones are repeated.
            kind = key if key in _PNG_KEYS else "patient" if _NAMING_KEYS.search(key) else "text"
            yield f"png.{kind}", value if kind != "text" else f"{key}: {value}"


_PNG_KEYS = frozenset({"Author", "Title", "Description", "Copyright", "Comment", "Creation Time"})


def _xmp(packet: bytes) -> Iterator[Element]:
    packet = packet[:_XMP_BYTES]
    for pattern in (_XMP, _XMP_ATTRIBUTE):
        for found in pattern.finditer(packet):
            name = found[1].decode("ascii").partition(":")[2]
            text = html.unescape(_TAGS.sub(" ", found[2].decode("utf-8", "replace")))
            if _CAMERA_KEYS.search(name):
                continue
            yield f"xmp.{name}", text


def _readable(value: Any, wide: bool = False) -> str:
    if isinstance(value, tuple):
        value = bytes(value) if all(isinstance(item, int) for item in value) else ""
    if not isinstance(value, bytes):
        return str(value)
    for code, encoding in ((b"UNICODE\0", "utf-16"), (b"ASCII\0\0\0", "utf-8"), (b"\0" * 8, "utf-8")):
        if value.startswith(code):
            return value[8:].decode(encoding, "replace")
    return value.decode("utf-16-le" if wide else "utf-8", "replace")


def _identifies(kind: str, text: str) -> bool:
    text = text[:_TEXT].replace("\0", " ").strip()
    if not any(letter.isalnum() for letter in text):
        return False
    name = kind.partition(".")[2]
    if _DATED.search(kind) or name in _NAMING.values() or name.startswith("GPS") or _NAMING_KEYS.search(name):
        return True
    return _names_somebody(text)


def _names_somebody(text: str) -> bool:
    from client.data.identifiers import find

    if sum(character == "\N{REPLACEMENT CHARACTER}" for character in text) > 0.05 * len(text):
        return False  # a maker's own block, not text
    return bool(_LABEL.search(text) or _DICOM_NAME.search(text) or _LONG_NUMBER.search(text) or find(text))
