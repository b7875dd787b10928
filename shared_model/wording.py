"""Sentences with a count in them: "1 row has", "12 rows have", "1,200 rows have"."""

from __future__ import annotations

import re

_CHOICE = re.compile(r"\[([^\[\]|]*)\|([^\[\]|]*)\]")


def worded(template: str, count: int, **words: object) -> str:
    """The sentence with `{n}` for the count and, of each `[one|many]`, the form that agrees with it.

    words: what stands for the other names in braces.
    """
    chosen = _CHOICE.sub(lambda found: found[1 if count == 1 else 2], template)
    return chosen.format(n=f"{count:,}", **words)


def counted(count: int, noun: str) -> str:
    """`1 row`, `1,200 rows`; noun: one whose plural ends in s."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
