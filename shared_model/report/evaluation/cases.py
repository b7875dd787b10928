"""The single cases of the page: a note with the photographs it brings up, and a photograph graded most wrongly.

They hold what may be shown at the site: prepared photographs without any header, notes whose identifiers are
masked, and lines of the site's own table in place of names and numbers of patients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

OWN, SAME = "own", "same"  # a hit: the note's own photograph, or another with an equal note


@dataclass(frozen=True)
class Photograph:
    """image: PNG or JPEG bytes. name: where to find it ("line 12"). grades: task -> recorded grade, if any."""

    image: bytes
    name: str
    grades: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """One of the photographs that a note brings up. hit: OWN, SAME or ""."""

    photograph: Photograph
    hit: str


@dataclass(frozen=True)
class Place:
    """rank: from 1, in a tie the mean over its orders. tied: how many score the same, itself included; others: those
    of them that were not looked for.
    """

    rank: float
    tied: int = 1
    others: int = 0


@dataclass(frozen=True)
class Search:
    """A note and its first photographs. name: where the note stands; own, first: places of its own photograph and of
    the first with an equal note; copies: how many photographs have it; gallery: how many were searched.
    """

    note: str
    name: str
    found: Sequence[Found]
    own: Place
    first: Place
    copies: int
    gallery: int


@dataclass(frozen=True)
class Mistake:
    """A photograph graded wrongly: the grades recorded and predicted, the calibrated probabilities of all five, and
    what else was recorded.
    """

    photograph: Photograph
    recorded: int
    predicted: int
    probabilities: Sequence[float]
    said: str


@dataclass(frozen=True)
class Cases:
    """searches: empty where retrieval is not available. mistakes: task -> from the worst on."""

    searches: Sequence[Search] = ()
    mistakes: Mapping[str, Sequence[Mistake]] = field(default_factory=dict)
