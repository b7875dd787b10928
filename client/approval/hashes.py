"""Hashes as an operator gives them: all of one, or its first characters, and never of two things at once.

`status` shows sixteen characters, so that many are enough; but whoever makes plans can make two that begin alike.
"""

from __future__ import annotations

from collections.abc import Iterable

from shared_model.errors import ConfigError

SHORTEST_HASH = 16  # characters of a hash that are given at least


def given_hash(text: str, option: str) -> str:
    """What was given under an option, without blanks and in small letters. Raises ConfigError for too little of one."""
    given = "".join(text.split()).lower()
    if len(given) < SHORTEST_HASH:
        raise ConfigError(
            f"a hash is given by at least {SHORTEST_HASH} of its characters",
            where=option,
            fix="give all of it",
        )
    return given


def fitting(given: str, known: Iterable[str], option: str) -> str | None:
    """The hash that begins with what was given, or None. Raises ConfigError where several do."""
    found = sorted({sha256 for sha256 in known if sha256.startswith(given)})
    if len(found) > 1:
        raise ConfigError(
            f"{len(found)} hashes begin with {given:.64}",
            where=option,
            fix="give all of the one that is meant: " + ", ".join(found),
        )
    return found[0] if found else None
