"""Looks for secrets in whatever leaves a site, in every dress they might wear.

Raw, in other letters, escaped, as hex, base64 (at any alignment), UTF-16 or -32, reversed; within compressed parts
and archives; and as numbers in tensors, one letter a number.
"""

from __future__ import annotations

import base64
import json
import re
import urllib.parse
import zipfile
import zlib
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

MOST = 50_000_000  # bytes that are unpacked of one part
SHORTEST = 5  # letters: anything shorter occurs in random bytes


def leaks(content: bytes | str, secrets: Iterable[str]) -> list[tuple[str, str]]:
    """(secret, how it was written) for each that stands in the content."""
    data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    wanted = list(secrets)
    assert all(len(secret) >= SHORTEST for secret in wanted)
    dresses = [(secret, how, needle) for secret in wanted for how, needle in _dresses(secret)]
    beginnings = np.unique(np.array([_number(needle) for _, _, needle in dresses], np.uint64))
    found: dict[str, str] = {}
    for part in _parts(data):
        if not _begins_one(part, beginnings):
            continue
        for secret, how, needle in dresses:
            if secret not in found and needle in part:
                found[secret] = how
    return [(secret, found[secret]) for secret in dict.fromkeys(wanted) if secret in found]


def _number(needle: bytes) -> int:
    """The first letters of it as one number."""
    return int.from_bytes(needle[:SHORTEST], "little")


def _begins_one(part: bytes, beginnings: NDArray[np.uint64]) -> bool:
    """Whether any letters of the part are the first ones of a needle: a thousand needles are looked for at once."""
    letters = np.frombuffer(part, np.uint8).astype(np.uint64)
    count = len(letters) - SHORTEST + 1
    if count < 1:
        return False
    numbers = np.zeros(count, np.uint64)
    for place in range(SHORTEST):
        numbers |= letters[place : place + count] << np.uint64(8 * place)
    places = np.minimum(np.searchsorted(beginnings, numbers), len(beginnings) - 1)
    return bool((beginnings[places] == numbers).any())


def _parts(data: bytes, depth: int = 0) -> Iterator[bytes]:
    """The content itself, in small letters, and whatever is packed in it."""
    yield data
    yield data.lower()
    yield from _numbers(data)
    if depth > 2:
        return
    for match in re.finditer(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]|PK\x03\x04", data):
        unpacked = _unpacked(data[match.start() :])
        if len(unpacked) > SHORTEST:
            yield from _parts(unpacked, depth + 1)
    for match in re.finditer(rb"[A-Za-z0-9+/_-]{16,}={0,2}", data):
        text = match[0].replace(b"-", b"+").replace(b"_", b"/").rstrip(b"=")
        for start in range(4):
            piece = text[start:]
            decoded = base64.b64decode(piece + b"A" * (-len(piece) % 4))
            yield decoded
            yield decoded.lower()


def _unpacked(data: bytes) -> bytes:
    """What is packed at the beginning of the data, whatever follows it."""
    try:
        if data.startswith(
            b"PK"
        ):  # one file of an archive, by its own header: the archive may be cut or surrounded
            begins = 30 + int.from_bytes(data[26:28], "little") + int.from_bytes(data[28:30], "little")
            packed = int.from_bytes(data[8:10], "little") == zipfile.ZIP_DEFLATED
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data[begins:], MOST) if packed else b""
        kind = 16 + zlib.MAX_WBITS if data.startswith(b"\x1f\x8b") else zlib.MAX_WBITS
        return zlib.decompressobj(kind).decompress(data, MOST)
    except zlib.error:
        return b""


def _numbers(data: bytes) -> Iterator[bytes]:
    """Tensors whose numbers are letters: every alignment of 4 and 8 bytes, and of halves."""
    for kind in (np.float32, np.float64, np.float16, np.int32, np.int64, np.uint16):
        width = np.dtype(kind).itemsize
        for start in range(width):
            count = (len(data) - start) // width
            if count < SHORTEST:
                continue
            with np.errstate(all="ignore"):
                values = np.nan_to_num(
                    np.frombuffer(data, kind, count, start).astype(np.float64), posinf=0, neginf=0
                )
                for letters in (values, values * 255):
                    rounded = np.rint(np.clip(letters, 0, 255))
                    yield (
                        np.where(np.abs(letters - rounded) < 0.02, rounded, 0)
                        .astype(np.uint8)
                        .tobytes()
                        .lower()
                    )


def _dresses(secret: str) -> Iterator[tuple[str, bytes]]:
    for text in dict.fromkeys(
        (secret, secret.lower(), secret.upper(), secret[::-1], secret.replace(" ", "_"))
    ):
        raw = text.encode()
        yield "raw", raw
        yield "hex", raw.hex().encode()
        yield "hex", raw.hex().upper().encode()
        yield "utf-16", text.encode("utf-16-le")
        yield "utf-16", text.encode("utf-16-be")
        yield "utf-32", text.encode("utf-32-le")
        yield "percent", urllib.parse.quote(text).encode()
        yield "escaped", json.dumps(text)[1:-1].encode()
        yield "repr", repr(raw)[2:-1].encode()
        try:
            yield "latin-1", text.encode("latin-1")
        except UnicodeEncodeError:
            continue
