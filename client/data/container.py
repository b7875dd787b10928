"""Whether the file around a picture is whole, which decoders do not ask.

Pillow reads a JPEG without its end marker and a PNG whose checksums are wrong, if enough of the pixels is
there. Such a file was cut or altered on its way; a site should copy it again rather than train on it.
"""

from __future__ import annotations

import re
import zlib

TRUNCATED = "damaged or truncated image (the end of the file is missing)"
ALTERED = "damaged or truncated image (a checksum does not match)"
MOST_CHUNKS = 200_000  # a PNG of 300 MB in the usual pieces of 8 KB has 38,000

_PNG = b"\x89PNG\r\n\x1a\n"
# A JPEG marker, but none that occurs inside compressed data (stuffed zeros and restarts).
_MARKER = re.compile(rb"\xff+([^\x00\x01\xd0-\xd8\xff])", re.DOTALL)
_END = 0xD9


def container_fault(data: bytes) -> str:
    """Why the file `data` is not whole, empty where it is or where its format carries no such mark.

    What follows the end of the picture does not matter: cameras and servers pad files.
    """
    if data.startswith(_PNG):
        return _png_fault(data)
    if data.startswith(b"\xff\xd8") and not data.endswith(b"\xff\xd9"):
        return "" if _jpeg_ends(data) else TRUNCATED
    return ""


def _jpeg_ends(data: bytes) -> bool:
    position = 2
    while found := _MARKER.search(data, position):
        if found[1][0] == _END:
            return True
        # Every other marker states the length of its segment: an end marker inside, such as that of a
        # thumbnail, is not the picture's.
        position = found.end() + max(2, int.from_bytes(data[found.end() : found.end() + 2], "big"))
    return False


def _png_fault(data: bytes) -> str:
    position, view = len(_PNG), memoryview(data)
    for _ in range(MOST_CHUNKS):
        length = int.from_bytes(view[position : position + 4], "big")
        name, end = bytes(view[position + 4 : position + 8]), position + 8 + length
        if len(name) < 4 or end + 4 > len(data):
            return TRUNCATED
        critical = not name[0] & 0x20
        if critical and zlib.crc32(view[position + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            return ALTERED
        if name == b"IEND":
            return ""
        position = end + 4
    return ALTERED
