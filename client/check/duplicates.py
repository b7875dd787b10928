"""Photographs that a site holds more than once: byte for byte, or one exposure stored a second time.

Candidates are found by one matrix product over coarse signatures from which the shading is taken out; a pair is
then laid upon each other (shift and stretch only: an edit does not turn the eye, a second exposure nearly always
does) and compared twice, in the fine detail, where only the vessels of the same eye agree, and as a whole, where
only the light of the same flash does. Two photographs of one eye are therefore not duplicates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from client.check.alignment import Prepared, likeness, prepare
from client.check.features import SIDE
from client.check.measurement import Measurement
from client.check.quality import judge

Floats = NDArray[np.float32]
Progress = Callable[[int, int], None]

# Cosines before alignment, without the shading and with it. Edits of one photograph (recompressed, half to one and
# a half the size, 3 % cropped on every side, gamma 0.85 to 1.2) keep 0.84 and 0.93, but for one in a thousand 0.90
# and 0.95; of pairs of different eyes less than one in a thousand comes so near.
CANDIDATE = 0.83
CANDIDATE_LIGHT = 0.92
MOST_CANDIDATES = 24  # of one photograph, so that a site of near-identical pictures stays affordable
# Correlations after alignment. Fine: of edits one in a hundred is below 0.948, two exposures of one drawn eye come
# up to 0.931, different eyes to 0.87. Whole: edits 0.966 and more, of two exposures one in twenty above 0.88.
FINE = 0.94
WHOLE = 0.96

_BLOCK = 1024  # rows of one matrix product: 80 MB at 20,000 photographs
_PAIRS = 256  # aligned at once


@dataclass(frozen=True)
class Pair:
    """Two photographs that are nearly the same; first < second are places in the list that was given."""

    first: int
    second: int
    likeness: float  # the fine correlation, 0 to 1


def near(measurements: Sequence[Measurement], progress: Progress | None = None) -> list[Pair]:
    """Pairs that are nearly the same, in order; byte-identical ones are not among them.

    Of a group of identical photographs the first stands for all. Blank photographs and those that show no retina are
    left out: the one have nothing to compare, and pages, scans and screens of one template resemble each other
    without being copies. progress: called with photographs compared and to compare. Memory grows with their number, not
    with its square.
    """
    places = _comparable(measurements)
    signatures = np.stack([_pixels(measurements[place]) for place in places]) if places else None
    if signatures is None or len(places) < 2:
        return []
    prepared = prepare(signatures)
    found: list[Pair] = []
    for block in _candidates(prepared, progress):
        for start in range(0, len(block), _PAIRS):
            found += _verified(prepared, block[start : start + _PAIRS], places)
    return sorted(found, key=lambda pair: (pair.first, pair.second))


def _comparable(measurements: Sequence[Measurement]) -> list[int]:
    first_of = {m.sha256: place for place, m in reversed(list(enumerate(measurements))) if not m.problem}
    return sorted(place for place in first_of.values() if _shows_a_retina(measurements[place]))


def _shows_a_retina(measurement: Measurement) -> bool:
    judgement = judge(measurement)
    return judgement is None or judgement.kind == "dark"


def _pixels(measurement: Measurement) -> NDArray[np.uint8]:
    return np.frombuffer(measurement.signature, np.uint8).reshape(SIDE, SIDE)


def _candidates(prepared: Prepared, progress: Progress | None) -> Iterator[NDArray[np.intp]]:
    """Pairs (n, 2) worth a closer look, a block of rows at a time; every pair once, the smaller place first."""
    coarse, light = prepared.coarse, prepared.light
    for start in range(0, len(coarse), _BLOCK):
        rows = coarse[start : start + _BLOCK]
        cosine = rows @ coarse[start:].T
        cosine[np.tril_indices(len(rows), 0, cosine.shape[1])] = -1
        first, second = np.nonzero(cosine > CANDIDATE)
        order = np.lexsort((-cosine[first, second], first))
        first, second = first[order], second[order]
        first, second = first + start, second + start
        lit = np.zeros(len(first), bool)
        for part in range(0, len(first), 65_536):
            chosen = slice(part, part + 65_536)
            same = np.einsum("np,np->n", light[first[chosen]], light[second[chosen]])
            lit[chosen] = same > CANDIDATE_LIGHT
        pairs = np.stack([first[lit], second[lit]], axis=1)
        rank = np.arange(len(pairs)) - np.searchsorted(pairs[:, 0], pairs[:, 0])
        yield pairs[rank < MOST_CANDIDATES]
        if progress is not None:
            progress(min(start + _BLOCK, len(coarse)), len(coarse))


def _verified(prepared: Prepared, pairs: NDArray[np.intp], places: Sequence[int]) -> list[Pair]:
    fine, whole = likeness(prepared, pairs)
    alike = (fine >= FINE) & (whole >= WHOLE)
    kept = zip(pairs[alike].tolist(), fine[alike].tolist(), strict=True)
    return [Pair(places[first], places[second], value) for (first, second), value in kept]
