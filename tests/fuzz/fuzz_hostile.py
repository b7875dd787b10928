"""Files built to hurt: sizes that lie, nesting without end, bombs, cells that are paths or programs."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pyarrow as pa
from fuzz_sound import (
    BRSET_HEADER,
    Random,
    bmp_bytes,
    csv_bytes,
    parquet_bytes,
    picture,
    png_bytes,
    saved,
    table_bytes,
    written,
)
from PIL import Image


def _row_with(cell: str) -> Callable[[Random], bytes]:
    return _with_cell(cell, csv_bytes, 3)


def _line_with(cell: str) -> Callable[[Random], bytes]:
    return _with_cell(cell, table_bytes, 2)


def _with_cell(cell: str, table: Callable[[Random], bytes], line: int) -> Callable[[Random], bytes]:
    """The table with one cell of a line replaced, in a column drawn."""

    def make(random: Random) -> bytes:
        lines = table(random).decode().split("\n")
        cells = lines[line].split(",")
        cells[int(random.integers(len(cells)))] = cell
        lines[line] = ",".join(cells)
        return "\n".join(lines).encode("utf-8", "surrogatepass")

    return make


CELLS = (
    "../../../../etc/passwd", "C:\\Windows\\system32", "=cmd|' /C calc'!A0", "\x00", "9" * 5000, "1e999", "nan",
    "\u202eevil", "\ud800", "🙂" * 500, "'; DROP TABLE patients; --", "[bold red]x[/]", "%s%n{0}{name}", "٣", "½",
    "a" * 99_000, '"', "/dev/zero", "img1.jpg/../img2", "\r", "-0", "0x1F", "1_000", "Ⅳ", "²", "1" + "0" * 400,
)  # fmt: skip
Special = tuple[str, Callable[[Random], bytes]]
_HEADS: tuple[Special, ...] = (
    ("many columns", lambda r: ("a," * 20_000).encode() + csv_bytes(r)),
    ("header alone", lambda r: BRSET_HEADER.encode()),
    ("column twice", lambda r: csv_bytes(r).replace(b"nationality", b"image_id", 1)),
    ("no line ends", lambda r: csv_bytes(r).replace(b"\n", b" ")),
    ("old line ends", lambda r: csv_bytes(r).replace(b"\n", b"\r")),
    ("utf-16", lambda r: csv_bytes(r).decode().encode("utf-16")),
    ("utf-16 cut in a letter", lambda r: csv_bytes(r).decode().encode("utf-16")[:-1]),
    ("utf-32", lambda r: csv_bytes(r).decode().encode("utf-32")),
    ("two marks", lambda r: b"\xef\xbb\xbf\xef\xbb\xbf" + csv_bytes(r)),
    ("one endless cell", lambda r: csv_bytes(r) + b'img9,"' + b"x" * 300_000),
    ("a million commas", lambda r: csv_bytes(r) + b"," * 1_000_000),
    ("many rows", lambda r: csv_bytes(r) + b"img1,1\n" * 20_000),
    ("tabs", lambda r: csv_bytes(r).replace(b",", b"\t")),
    ("nul bytes", lambda r: csv_bytes(r).replace(b",", b",\0")),
)
_JSON: tuple[Special, ...] = (
    ("nested without end", lambda r: b"[" * 200_000),
    ("nested objects", lambda r: b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    ("not a list", lambda r: b'{"img0.jpg": {"keywords": "x"}}'),
    (
        "numbers for texts",
        lambda r: b'[{"img0.jpg": {"keywords": 3, "clinical-description": [1, {}]}}, 7, null, [], {}]',
    ),
    ("a name twice", lambda r: b'[{"img0.jpg": {"keywords": "a"}, "img0.jpg": {"keywords": "b"}}]'),
    ("a long number", lambda r: b'[{"img0.jpg": {"keywords": ' + b"9" * 100_000 + b"}}]"),
    ("infinity", lambda r: b'[{"img0.jpg": {"keywords": Infinity, "clinical-description": NaN}}]'),
    (
        "lone surrogate",
        lambda r: b'[{"img0.jpg": {"keywords": "\\ud800", "clinical-description": "\\u0000"}}]',
    ),
    ("path", lambda r: b'[{"../../../../etc/passwd": {"keywords": "a", "clinical-description": "b"}}]'),
    ("long note", lambda r: b'[{"img0.jpg": {"keywords": "' + b"drusen, " * 200_000 + b'"}}]'),
    ("many keys", lambda r: json.dumps([{f"img{k}.jpg": {"keywords": "x"} for k in range(5000)}]).encode()),
    ("bytes that are no text", lambda r: b'[{"img0.jpg": {"keywords": "\xff\xfe\xfa"}}]'),
)


def _png_of(
    width: int, height: int, data: bytes = b"", extra: bytes = b"", depth: int = 8, colour: int = 2
) -> bytes:
    """A PNG that says this size whatever it holds."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + extra + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _jpeg_of(width: int, height: int, random: Random) -> bytes:
    """A JPEG whose frame says this size."""
    data = bytearray(saved(picture(random), "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def _many_scans(random: Random) -> bytes:
    """A progressive picture whose last scan is repeated: every one costs a pass over the picture."""
    data = saved(picture(random, (640, 640)), "JPEG", progressive=True)
    at = data.rindex(b"\xff\xda")
    return data[:at] + data[at:-2] * 2000 + b"\xff\xd9"


_BOMB = zlib.compress(bytes(50_000_000))
_HOSTILE_PNG: tuple[Special, ...] = (
    ("says it is huge", lambda r: _png_of(2**31 - 1, 2**31 - 1)),
    ("a large size, no data", lambda r: _png_of(30_000, 30_000)),
    ("no size", lambda r: _png_of(0, 0)),
    ("a thread", lambda r: _png_of(90_000_000, 1, _BOMB)),
    ("a bomb of pixels", lambda r: _png_of(20_000, 4_900, _BOMB)),
    ("a bomb of text", lambda r: _png_of(8, 8, zlib.compress(bytes(200)), _chunk(b"zTXt", b"a\0\0" + _BOMB))),
    (
        "a bomb of a profile",
        lambda r: _png_of(8, 8, zlib.compress(bytes(200)), _chunk(b"iCCP", b"a\0\0" + _BOMB)),
    ),
    ("a chunk longer than the file", lambda r: png_bytes(r)[:33] + b"\x7f\xff\xff\xffIDAT" + bytes(50)),
    ("odd depth", lambda r: _png_of(8, 8, zlib.compress(bytes(400)), depth=7)),
    ("palette without one", lambda r: _png_of(8, 8, zlib.compress(bytes(72)), colour=3)),
    (
        "a million chunks",
        lambda r: _png_of(8, 8, zlib.compress(bytes(200)), _chunk(b"tEXt", b"a\0b") * 100_000),
    ),
    ("gif", lambda r: saved(picture(r), "GIF")),
    ("webp", lambda r: saved(picture(r), "WEBP")),
    ("svg", lambda r: b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'),
    ("postscript", lambda r: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run\n"),
)
_HOSTILE_JPEG: tuple[Special, ...] = (
    ("says it is huge", lambda r: _jpeg_of(65_535, 65_535, r)),
    ("large but allowed", lambda r: _jpeg_of(9_900, 9_900, r)),
    ("no height", lambda r: _jpeg_of(48, 0, r)),
    ("one pixel", lambda r: saved(Image.new("RGB", (1, 1)), "JPEG")),
    ("a thread", lambda r: saved(Image.new("RGB", (65_000, 1), "orange"), "JPEG")),
    ("cmyk", lambda r: saved(picture(r).convert("CMYK"), "JPEG")),
    ("many scans", _many_scans),
    ("many comments", lambda r: _after_start(r, b"\xff\xfe\xff\xff" + bytes(65_533), 200)),
    ("segment too long", lambda r: _after_start(r, b"\xff\xe1\xff\xff", 1)),
    ("segment too short", lambda r: _after_start(r, b"\xff\xe1\x00\x00", 1)),
    ("exif that points at itself", lambda r: _after_start(r, _looping_exif(), 1)),
    ("exif of nothing", lambda r: _after_start(r, b"\xff\xe1\x00\x08Exif\0\0", 1)),
    ("markers only", lambda r: b"\xff\xd8" + b"\xff\xd0" * 5000 + b"\xff\xd9"),
    (
        "photoshop block",
        lambda r: _after_start(r, b"\xff\xed\x00\x20Photoshop 3.0\x008BIM\x04\x04\xff\xff" + b"\0" * 10, 1),
    ),
    ("start alone", lambda r: b"\xff\xd8\xff"),
)


def _after_start(random: Random, segment: bytes, times: int) -> bytes:
    data = saved(picture(random), "JPEG")
    return data[:2] + segment * times + data[2:]


def _looping_exif() -> bytes:
    """An EXIF block whose sub-directories and next directory are itself."""
    entry = struct.pack("<HHII", 0x8769, 4, 1, 8)
    body = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 1) + entry + struct.pack("<I", 8)
    return b"\xff\xe1" + struct.pack(">H", 2 + 6 + len(body)) + b"Exif\0\0" + body


def _tiff_of(width: int, height: int, strips: int) -> bytes:
    tags = ((256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
            (273, 4, strips, 8), (277, 3, 1, 1), (278, 4, 1, 1), (279, 4, strips, 8))  # fmt: skip
    body = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<I", 8) + body + struct.pack("<I", 8)


_HOSTILE_TIFF: tuple[Special, ...] = (
    ("says it is huge", lambda r: _tiff_of(2**31, 2**31, 1)),
    ("more strips than bytes", lambda r: _tiff_of(100, 100, 2**30)),
    ("loops", lambda r: _tiff_of(10, 10, 1)),
)
_HOSTILE_BMP: tuple[Special, ...] = (
    ("says it is huge", lambda r: bmp_bytes(r)[:18] + struct.pack("<ii", 2**30, 2**30) + bmp_bytes(r)[26:]),
    ("negative", lambda r: bmp_bytes(r)[:18] + struct.pack("<ii", -5, -(2**31)) + bmp_bytes(r)[26:]),
    ("no data", lambda r: bmp_bytes(r)[:54]),
)
_HOSTILE_PARQUET: tuple[Special, ...] = (
    ("footer longer than the file", lambda r: b"PAR1" + struct.pack("<I", 2**31 - 1) + b"PAR1"),
    ("empty footer", lambda r: b"PAR1\0\0\0\0PAR1"),
    (
        "no rows",
        lambda r: written(
            pa.table({"picture": pa.array([], pa.string()), "person": pa.array([], pa.string())})
        ),
    ),
    (
        "nested column",
        lambda r: written(pa.table({"picture": [["img0"]], "person": [{"a": 1}], "grade": [b"\xff"]})),
    ),
    ("no columns wanted", lambda r: written(pa.table({"x": [1, 2]}))),
    (
        "a great many rows of one value",
        lambda r: written(
            pa.table(
                {
                    "picture": ["img0"] * 20_000,
                    "person": ["p"] * 20_000,
                    "age": [1.0] * 20_000,
                    "grade": [1] * 20_000,
                    "report": [""] * 20_000,
                }
            )
        ),
    ),
    ("encrypted", lambda r: parquet_bytes(r)[:-4] + b"PARE"),
)
HOSTILE: dict[str, tuple[Special, ...]] = {
    "csv": (*((f"cell {c[:12]!r}", _row_with(c)) for c in CELLS), *_HEADS),
    "table": tuple((f"cell {c[:12]!r}", _line_with(c)) for c in CELLS),
    "parquet": _HOSTILE_PARQUET,
    "json": _JSON,
    "jpeg": _HOSTILE_JPEG,
    "png": _HOSTILE_PNG,
    "tiff": _HOSTILE_TIFF,
    "bmp": _HOSTILE_BMP,
    "dicom": tuple((name, lambda r, name=name: _hostile_dicom(name, r)) for name in (
        "deflated bomb", "length of 4 GB", "undefined length", "nested sequences", "frames that are not there",
        "no pixels", "odd bits", "huge rows", "encapsulated nonsense", "preamble alone", "implicit", "jpeg inside cut",
    )),
}  # fmt: skip


def _hostile_dicom(name: str, random: Random) -> bytes:
    from fuzz_dicom import hostile_dicom

    return hostile_dicom(name, random, np.asarray(picture(random)))
