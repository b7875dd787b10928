"""What reading one photograph gave: why it cannot be used, or the numbers every later judgement is made from.

A measurement travels from a worker process to the site's own and into its journal as bytes. Both ends treat
them as data from outside (a hostile photograph may have taken over the worker), so they are parsed here, field
by field, and never unpickled.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

SIGNATURE_BYTES = 64 * 64
MOST_BYTES = 65_536  # of one encoded measurement

_NUMBERS = struct.Struct(">3I10f")  # length of the texts, width, height, then the levels and shares


@dataclass(frozen=True)
class Measurement:
    """One photograph, read once. Levels are 0 to 255, shares 0 to 1; all zero or empty where `problem` is not.

    problem: "" or why it cannot be used, in the words of client.data.pipeline. sha256: of the file's bytes, hex,
    "" where they were not read. width, height, mode: as stored in the file.
    field: left, upper, right and lower edge of the field of view as shares of the upright photograph's sides.
    aspect: width of the field of view over its height.
    lit: share of the field of view brighter than a tenth of the photograph's brightest.
    red, green, blue: means over what is lit. warm: share of it where red > green >= blue, as in a retina.
    signature: brightness of the field of view, 64 x 64 bytes, row by row; patient data like the photograph.
    identifiers: kinds found in the headers, such as "exif.Artist"; never their values. dated: kinds of dates and
    serial numbers, which identify nobody by themselves.
    """

    problem: str = ""
    sha256: str = ""
    width: int = 0
    height: int = 0
    mode: str = ""
    field: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    aspect: float = 0.0
    lit: float = 0.0
    red: float = 0.0
    green: float = 0.0
    blue: float = 0.0
    warm: float = 0.0
    signature: bytes = b""
    identifiers: tuple[str, ...] = ()
    dated: tuple[str, ...] = ()

    @property
    def brightness(self) -> float:
        """Mean level of the strongest channel over what is lit."""
        return max(self.red, self.green, self.blue)


def encode(measurement: Measurement) -> bytes:
    """The measurement as bytes."""
    m = measurement
    lists = (",".join(kinds) for kinds in (m.identifiers, m.dated))
    texts = "\0".join((m.problem, m.sha256, m.mode.replace("\0", ""), *lists)).encode("utf-8", "replace")
    numbers = (*m.field, m.aspect, m.lit, m.red, m.green, m.blue, m.warm)
    return _NUMBERS.pack(len(texts), m.width, m.height, *numbers) + texts + m.signature


def decode(content: bytes) -> Measurement:
    """The measurement that encode() made these bytes of. Raises ValueError for any others."""
    try:
        length, width, height, *numbers = _NUMBERS.unpack_from(content)
        texts = content[_NUMBERS.size : _NUMBERS.size + length].decode()
        problem, sha256, mode, identifiers, dated = texts.split("\0")
    except struct.error:
        raise ValueError("not a measurement") from None
    signature = content[_NUMBERS.size + length :]
    expected = 0 if problem else SIGNATURE_BYTES
    if len(content) > MOST_BYTES or len(signature) != expected or not all(map(math.isfinite, numbers)):
        raise ValueError("not a measurement")
    left, upper, right, lower, aspect, lit, red, green, blue, warm = numbers
    return Measurement(
        problem=problem,
        sha256=sha256,
        width=width,
        height=height,
        mode=mode,
        field=(left, upper, right, lower),
        aspect=aspect,
        lit=lit,
        red=red,
        green=green,
        blue=blue,
        warm=warm,
        signature=signature,
        identifiers=tuple(identifiers.split(",")) if identifiers else (),
        dated=tuple(dated.split(",")) if dated else (),
    )
