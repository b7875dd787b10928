"""Puts together the words that a scanned page breaks over two lines ("Paci-\\nente", "ATENDI-\\nMENTO").

A label in two pieces announces nothing, and a name in two pieces is not known. Only a word whose halves are in one
case is put together: "Anne-\\nMarie" keeps its hyphen.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

_BROKEN = re.compile(
    r"(?<=[^\W\d_])-[ \t]{0,2}\r?\n[ \t]{0,4}(?=[^\W\d_])",
)


@dataclass(frozen=True)
class Unbroken:
    """A text whose broken words are whole, and where each of its characters stood before."""

    text: str
    cuts: tuple[int, ...] = ()  # places of `text` before which something was left out
    shifts: tuple[int, ...] = (0,)  # characters left out up to there

    def before(self, start: int, end: int) -> tuple[int, int]:
        """Where text[start:end] (not empty) stood in the broken text."""
        return self._place(start), self._place(end - 1) + 1

    def _place(self, at: int) -> int:
        return at + self.shifts[bisect_right(self.cuts, at)]


def unbroken(text: str) -> Unbroken:
    """The text with every word whole that a hyphen at the end of a line breaks."""
    if "-" not in text or "\n" not in text:
        return Unbroken(text)
    pieces, cuts, shifts, at, length = list[str](), list[int](), [0], 0, 0
    for found in _BROKEN.finditer(text):
        before, after = text[found.start() - 1], text[found.end()]
        if before.islower() != after.islower():
            continue
        piece = text[at : found.start()]
        at, length = found.end(), length + len(piece)
        pieces.append(piece)
        cuts.append(length)
        shifts.append(shifts[-1] + found.end() - found.start())
    return Unbroken("".join([*pieces, text[at:]]), tuple(cuts), tuple(shifts))
