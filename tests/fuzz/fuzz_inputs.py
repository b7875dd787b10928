"""Hostile inputs, drawn by number: case 17 of a format is the same bytes on every machine.

Each starts from a small sound file and is cut, has bits flipped, bytes added or moved, is another kind of file under
this name, or is built to hurt: sizes that lie, nesting without end, bombs.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from fuzz_hostile import HOSTILE
from fuzz_sound import FORMATS, PICTURES, ROWS, SHARES, SOUND, TABLE_OPTIONS, Random, picture

__all__ = ["FORMATS", "PICTURES", "ROWS", "SHARES", "SOUND", "TABLE_OPTIONS", "fuzzed", "picture"]


def random_of(kind: str, number: int) -> Random:
    """The generator of one case."""
    return np.random.default_rng([FORMATS.index(kind), number, 0xF0])


def fuzzed(kind: str, number: int) -> tuple[str, bytes]:
    """What was done, and the bytes of case `number` of a format."""
    random = random_of(kind, number)
    sound = SOUND[kind](random)
    special = HOSTILE[kind]
    if number % 4 == 3:
        name, make = special[number // 4 % len(special)]
        return name, make(random)
    name, change = CHANGES[int(random.integers(len(CHANGES)))]
    return name, change(sound, random)


def _cut(data: bytes, random: Random) -> bytes:
    return data[: int(random.integers(0, len(data)))]


def _flip(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for at in random.integers(0, len(data), int(random.choice([1, 3, 20, 200]))):
        changed[at] ^= 1 << int(random.integers(8))
    return bytes(changed)


def _flip_head(data: bytes, random: Random) -> bytes:
    head = _flip(data[:200], random)
    return head + data[200:]


def _overwrite(data: bytes, random: Random) -> bytes:
    at, length = int(random.integers(0, len(data))), int(random.integers(1, 400))
    return data[:at] + random.bytes(length) + data[at + length :]


def _zeros(data: bytes, random: Random) -> bytes:
    at = int(random.integers(0, len(data)))
    return data[:at] + bytes(len(data) - at)


def _insert(data: bytes, random: Random) -> bytes:
    at = int(random.integers(0, len(data)))
    return data[:at] + random.bytes(int(random.integers(1, 60))) + data[at:]


def _repeat(data: bytes, random: Random) -> bytes:
    at = int(random.integers(0, len(data)))
    return data[:at] + data[at:][: int(random.integers(1, 500))] * int(random.integers(2, 40)) + data[at:]


def _swap(data: bytes, random: Random) -> bytes:
    at = int(random.integers(0, len(data)))
    return data[at:] + data[:at]


def _another(data: bytes, random: Random) -> bytes:
    kinds = [kind for kind in FORMATS if kind != "dicom"]
    return SOUND[kinds[int(random.integers(len(kinds)))]](random)


def _random(data: bytes, random: Random) -> bytes:
    return random.bytes(int(random.choice([0, 1, 2, 16, 5000])))


Change = Callable[[bytes, Random], bytes]
CHANGES: tuple[tuple[str, Change], ...] = (
    ("cut", _cut), ("bits flipped", _flip), ("header flipped", _flip_head), ("overwritten", _overwrite),
    ("zeros", _zeros), ("inserted", _insert), ("repeated", _repeat), ("turned round", _swap),
    ("another kind", _another), ("random", _random), ("bits flipped", _flip), ("cut", _cut),
)  # fmt: skip
