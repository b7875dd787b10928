"""Which cases the page shows: by a rule that is printed beside them, so that nobody picks the pretty ones.

Searches are taken at even steps from the note that finds its like first to the one that finds it last. Errors are
ordered by the expected squared distance between what the model said and the recorded grade: far off and sure first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared_model.metrics.calibration import calibrated
from shared_model.metrics.grading import Floats
from shared_model.metrics.predictions import MISSING, Predictions
from shared_model.records import GRADES
from shared_model.report.evaluation.cases import Place

SEARCHES, SHOWN, MISTAKES = 6, 5, 10


@dataclass(frozen=True)
class Choice:
    """A search by positions in the predictions. query: whose note is asked; found: the best photographs in order;
    own, first: places of its own photograph and of the first with an equal note.
    """

    query: int
    found: tuple[int, ...]
    own: Place
    first: Place
    copies: int
    gallery: int


def chosen_searches(predictions: Predictions, count: int = SEARCHES, shown: int = SHOWN) -> list[Choice]:
    """Searches of the unimodal protocol, one a distinct note; none where there are no vectors, fewer than two
    records with a note, or a vector that is not a number.
    """
    gallery = np.flatnonzero(predictions.note != MISSING)
    pair = predictions.embeddings.get("unimodal")
    if pair is None or len(gallery) < 2:
        return []
    image, text = (_unit(pair[side][gallery]) for side in ("image", "text"))
    if not (np.isfinite(image).all() and np.isfinite(text).all()):
        return []
    note = predictions.note[gallery]
    _, asked = np.unique(note, return_index=True)
    # Equal vectors are scored once, so that they tie exactly, whatever the order of a product's sums.
    image, same = np.unique(image, axis=0, return_inverse=True)
    found = [_search(int(query), (image @ text[query])[same], note, gallery, shown) for query in asked]
    found.sort(key=lambda choice: (choice.first.rank, choice.own.rank, choice.query))
    steps = np.linspace(0, len(found) - 1, min(count, len(found))).round().astype(int)
    return [found[step] for step in steps]


def hardest(
    predictions: Predictions, task: str, temperature: float | Floats, count: int = MISTAKES
) -> list[tuple[int, Floats]]:
    """Positions of the worst errors with all inputs, and their calibrated probabilities (5,); worst first."""
    truth, raw = predictions.labels(task), predictions.scores(task, "all")
    known = np.flatnonzero((truth != MISSING) & np.isfinite(raw).all(axis=1))
    here = np.asarray(temperature)[known] if np.ndim(temperature) else temperature
    probability = calibrated(raw[known], here)
    distance = (np.arange(GRADES)[None, :] - truth[known][:, None]) ** 2
    cost = (probability * distance).sum(axis=1)
    cost[probability.argmax(axis=1) == truth[known]] = -1.0
    order = np.argsort(-cost, kind="stable")[:count]
    return [(int(known[row]), probability[row]) for row in order if cost[row] >= 0]


def _search(
    query: int, scores: Floats, note: NDArray[np.int64], gallery: NDArray[np.intp], shown: int
) -> Choice:
    best = np.argsort(-scores, kind="stable")[:shown]
    same = note == note[query]
    alone = np.arange(len(note)) == query
    return Choice(
        query=int(gallery[query]),
        found=tuple(int(gallery[row]) for row in best),
        own=_place(scores, alone),
        first=_place(scores, same),
        copies=int(same.sum()),
        gallery=len(gallery),
    )


def _place(scores: Floats, wanted: NDArray[np.bool_]) -> Place:
    """Where the first of those wanted comes, on average over the orders that its ties allow."""
    best = scores[wanted].max()
    level = scores == best
    tied, found = int(level.sum()), int((level & wanted).sum())
    return Place(int((scores > best).sum()) + (tied + 1) / (found + 1), tied, tied - found)


def _unit(vectors: NDArray[np.float32]) -> Floats:
    wide = vectors.astype(np.float64)
    unit: Floats = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return unit
