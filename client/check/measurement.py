"""What reading one photograph gave: why it cannot be used, or the numbers every later judgement is made from.

A measurement travels from a worker process to the site's own and into its journal as bytes. Both ends treat
them as data from outside (a hostile photograph may have taken over the worker), so they are parsed here, field
by field, and never unpickled.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

SIGNATURE_BYTES = 64 * 64
MOST_BYTES = 65_536  # of one encoded measurement

_LENGTH = struct.Struct(">I")


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
    fields = {name: value for name, value in vars(measurement).items() if name != "signature"}
    text = json.dumps(fields).encode()
    return _LENGTH.pack(len(text)) + text + measurement.signature


def decode(content: bytes) -> Measurement:
    """The measurement that encode() made these bytes of. Raises ValueError for any others."""
    try:
        (length,) = _LENGTH.unpack_from(content)
        start = _LENGTH.size + length
        fields = json.loads(content[_LENGTH.size : start])
        signature = content[start:]
        if len(content) > MOST_BYTES or len(signature) not in {0, SIGNATURE_BYTES}:
            raise ValueError("not a measurement")
        parsed = {name: parse(fields.pop(name)) for name, parse in _PARSERS.items()}
        if fields or bool(signature) == bool(parsed["problem"]):
            raise ValueError("not a measurement")
    except (struct.error, KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError("not a measurement") from None
    return Measurement(signature=signature, **parsed)


def _exactly(kind: type[str] | type[int] | type[float]) -> Callable[[Any], Any]:
    def parse(value: Any) -> Any:
        if type(value) is not kind or (isinstance(value, float) and not math.isfinite(value)):
            raise ValueError("not a measurement")
        return value

    return parse


def _several(kind: type[str] | type[float], count: int | None = None) -> Callable[[Any], tuple[Any, ...]]:
    one = _exactly(kind)

    def parse(value: Any) -> tuple[Any, ...]:
        if type(value) is not list or count not in {None, len(value)}:
            raise ValueError("not a measurement")
        return tuple(one(item) for item in value)

    return parse


_PARSERS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("problem", "sha256", "mode"), _exactly(str)),
    **dict.fromkeys(("width", "height"), _exactly(int)),
    **dict.fromkeys(("aspect", "lit", "red", "green", "blue", "warm"), _exactly(float)),
    "field": _several(float, 4),
    **dict.fromkeys(("identifiers", "dated"), _several(str)),
}
