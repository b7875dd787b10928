"""Retrieval that cannot flatter itself: ties share the hit, and chance and the ceiling are stated beside it.

Half of BRSET's photographs share one note ("No abnormality is recorded."), and nothing can tell them apart by
it: a recall means little without the best value that the notes allow. Two questions are asked of one ranking:
whether a query's own counterpart comes up (the source paper's), and whether anything with the same note does
(`equivalent`, each note counting once: what a search is for). Equal vectors get exactly equal scores because
each distinct pair is scored once; a matrix product over repeated columns does not promise that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import hypergeom

from shared_model.metrics import bootstrap
from shared_model.metrics.grading import Floats
from shared_model.metrics.predictions import Labels
from shared_model.metrics.ranking import Embedding, Ints, Ranks, ranked
from shared_model.randomness import numpy_generator

KS = (1, 5, 10)


def text_to_image(
    image_embedding: Embedding,
    text_embedding: Embedding,
    note: Labels,
    ks: Sequence[int] = KS,
    *,
    one_text_per_note: bool = False,
    patient: NDArray[np.str_] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any] | None:
    """Recall of a note's own photograph among the photographs of all samples with a note.

    image_embedding, text_embedding: (N, D), compared by cosine. note: (N,) ids, -1 leaves the sample out.
    one_text_per_note: take the first embedding of each note for all its copies. Right for the unimodal
    protocol, where they differ only by the rounding of their batches; wrong for the paired one.
    patient: (N,), for intervals over patients with the gallery as it is; without it there are none.

    With b photographs scored strictly higher and t tied (its own included), a query scores
    clamp(K - b, 0, t) / t; the ceiling is the mean of min(K, c) / c with c the photographs whose note is the
    same. Returns `directed`'s figures; None with fewer than two samples or embeddings that are not finite.
    """
    kept = _kept(image_embedding, text_embedding, note, patient, one_text_per_note)
    if kept is None:
        return None
    found = directed(kept.text, kept.image, kept.note, ks, kept.patient, resamples, seed)
    return found | chance_intervals(kept.note, ks, seed, one_query_per_note=one_text_per_note)


def image_to_text(
    image_embedding: Embedding,
    text_embedding: Embedding,
    note: Labels,
    ks: Sequence[int] = KS,
    *,
    one_text_per_note: bool = False,
    patient: NDArray[np.str_] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any] | None:
    """Recall of a photograph's own note among the notes of all samples with one; as text_to_image.

    The gallery holds a note as often as it was written, so that chance and ceiling are those of text_to_image.
    """
    kept = _kept(image_embedding, text_embedding, note, patient, one_text_per_note)
    if kept is None:
        return None
    found = directed(kept.image, kept.text, kept.note, ks, kept.patient, resamples, seed)
    return found | chance_intervals(kept.note, ks, seed, one_query_per_note=False)


def directed(
    query: Embedding,
    gallery: Embedding,
    note: Labels,
    ks: Sequence[int] = KS,
    patient: NDArray[np.str_] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """The figures of n >= 2 queries (n, D), each with a counterpart in the gallery (n, D).

    note: (n,) ids from 0. recall_at_K, ceiling_at_K, share_of_ceiling_at_K and chance_at_K for each K; n and
    unique_notes; median_rank (of the counterpart, ties counting as their middle), and what it is by chance and
    at best; equivalent: recall_at_K and chance_at_K of anything with the same note, and
    mean_average_precision with its chance, each note counting once; intervals of recall_at_K.
    """
    _, group, copies = np.unique(note, return_inverse=True, return_counts=True)
    same = copies[group]  # (n,) samples that share the query's note
    ranks = ranked(query, gallery, group)
    n = len(note)
    hits = {k: np.clip(k - ranks.better, 0, ranks.tied) / ranks.tied for k in ks}
    recall = {k: float(hits[k].mean()) for k in ks}
    ceiling = {k: float(np.mean(np.minimum(k, same) / same)) for k in ks}
    return {
        **{f"recall_at_{k}": recall[k] for k in ks},
        **{f"ceiling_at_{k}": ceiling[k] for k in ks},
        **{f"share_of_ceiling_at_{k}": recall[k] / ceiling[k] for k in ks},
        **{f"chance_at_{k}": min(k, n) / n for k in ks},
        "n": n,
        "unique_notes": len(copies),
        "median_rank": float(np.median(ranks.better + (ranks.tied + 1) / 2)),
        "median_rank_by_chance": (n + 1) / 2,
        "median_rank_at_best": float(np.median((same + 1) / 2)),
        "equivalent": _equivalent(ranks, group, copies, ks),
        "intervals": _intervals(hits, patient, resamples, seed),
        "unavailable": None,
    }


def chance_intervals(
    note: Labels, ks: Sequence[int], seed: int = 0, *, one_query_per_note: bool
) -> dict[str, list[float]]:
    """chance_interval_at_K: where 95 % of recalls of a random order lie, which duplicate notes widen.

    With one query a note, its copies bring up the same K of n photographs, of which hypergeometrically many are
    theirs. With queries of their own every one hits with probability K / n; ties only narrow that.
    """
    copies, n = np.unique(note, return_counts=True)[1], len(note)
    draws = max(200, min(2000, 400_000 // len(copies)))
    random = numpy_generator(seed, "retrieval-chance")
    found = {}
    for k in ks:
        drawn = min(k, n)
        hits = (
            random.hypergeometric(copies, n - copies, drawn, size=(draws, len(copies))).sum(axis=1)
            if one_query_per_note
            else random.binomial(n, drawn / n, size=draws)
        )
        found[f"chance_interval_at_{k}"] = [float(value) for value in np.percentile(hits / n, [2.5, 97.5])]
    return found


def unavailable(n: int = 0, unique_notes: int = 0, ks: Sequence[int] = KS, why: str = "") -> dict[str, Any]:
    """The document's entry where retrieval cannot be computed: the same keys, None for every figure."""
    names = [
        f"{name}_at_{k}"
        for name in ("recall", "ceiling", "share_of_ceiling", "chance", "chance_interval")
        for k in ks
    ]
    equivalent = [f"{name}_at_{k}" for name in ("recall", "chance") for k in ks]
    return {
        **dict.fromkeys(names),
        "n": n,
        "unique_notes": unique_notes,
        **dict.fromkeys(("median_rank", "median_rank_by_chance", "median_rank_at_best")),
        "equivalent": dict.fromkeys(
            (*equivalent, "mean_average_precision", "mean_average_precision_by_chance")
        ),
        "intervals": {f"recall_at_{k}": None for k in ks},
        "unavailable": why,
    }


def _equivalent(ranks: Ranks, group: Ints, copies: NDArray[np.intp], ks: Sequence[int]) -> dict[str, float]:
    """Recall and precision of the samples that share the query's note: a mean over notes of means over queries."""
    n = len(group)

    def by_note(values: Floats) -> float:
        return float(np.mean(np.bincount(group, weights=values) / copies))

    def hit(k: int) -> Floats:
        drawn = np.clip(k - ranks.before, 0, ranks.level)
        found: Floats = 1.0 - hypergeom.pmf(0, ranks.level, ranks.relevant, drawn)
        return found

    chance = {k: float(np.mean(1.0 - hypergeom.pmf(0, n, copies, min(k, n)))) for k in ks}
    return {
        **{f"recall_at_{k}": by_note(hit(k)) for k in ks},
        **{f"chance_at_{k}": chance[k] for k in ks},
        "mean_average_precision": by_note(ranks.precision),
        "mean_average_precision_by_chance": float(np.mean(_chance_precision(copies, n))),
    }


def _chance_precision(relevant: NDArray[np.intp], n: int) -> Floats:
    """Expected average precision of a random order. Place k is relevant with probability R/n, and then holds
    1 + (k - 1)(R - 1)/(n - 1) relevant ones up to itself.
    """
    harmonic = float(np.sum(1.0 / np.arange(1, n + 1)))
    found: Floats = (harmonic + (relevant - 1) / (n - 1) * (n - harmonic)) / n
    return found


def _intervals(
    hits: dict[int, Floats], patient: NDArray[np.str_] | None, resamples: int, seed: int
) -> dict[str, list[float] | None]:
    if patient is None:
        return {f"recall_at_{k}": None for k in hits}
    columns = np.stack(list(hits.values()), axis=1)
    drawn, count = bootstrap.weighted(
        patient, lambda w: w @ columns / w.sum(axis=1, keepdims=True), resamples, seed
    )
    return {f"recall_at_{k}": bootstrap.interval_of(c, count) for k, c in zip(hits, drawn.T, strict=True)}


class _Kept(NamedTuple):
    """The samples that have a note."""

    image: Embedding
    text: Embedding
    note: Labels
    patient: NDArray[np.str_] | None


def _kept(
    image: Embedding,
    text: Embedding,
    note: Labels,
    patient: NDArray[np.str_] | None,
    one_text_per_note: bool,
) -> _Kept | None:
    queried = note >= 0
    image, text, note = image[queried], text[queried], note[queried]
    if len(note) < 2 or not (np.isfinite(image).all() and np.isfinite(text).all()):
        return None
    if one_text_per_note:
        _, first, group = np.unique(note, return_index=True, return_inverse=True)
        text = text[first][group]
    return _Kept(image, text, note, None if patient is None else patient[queried])
