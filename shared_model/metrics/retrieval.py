"""Text-to-image retrieval that cannot flatter itself: ties share the hit, and the ceiling is stated.

Half of BRSET's photographs share one note ("No abnormality is recorded."), and nothing can tell them apart by
it: a recall means little without the best value that the notes allow. Equal vectors get exactly equal scores
because each distinct pair is scored once; a matrix product over repeated rows does not promise that.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shared_model.metrics.grading import Floats
from shared_model.metrics.predictions import Labels

KS = (1, 5, 10)
_CHUNK = 1024  # queries compared with the gallery at once

Embedding = NDArray[np.float32] | Floats


def text_to_image(
    image_embedding: Embedding,
    text_embedding: Embedding,
    note: Labels,
    ks: Sequence[int] = KS,
    *,
    one_text_per_note: bool = False,
) -> dict[str, float | int] | None:
    """Recall of a note's own photograph among the photographs of all samples with a note.

    image_embedding, text_embedding: (N, D), compared by cosine. note: (N,) ids, -1 leaves the sample out.
    one_text_per_note: take the first embedding of each note for all its copies. Right for the unimodal
    protocol, where they differ only by the rounding of their batches; wrong for the paired one.

    Returns recall_at_K, ceiling_at_K for each K, chance_at_1, n and unique_notes. With b photographs scored
    strictly higher and t tied (its own included), a query scores clamp(K - b, 0, t) / t; the ceiling is the
    mean of min(K, c) / c with c the photographs whose note is the same. None with fewer than two samples or
    embeddings that are not finite.
    """
    queried = note >= 0
    image, text, note = image_embedding[queried], text_embedding[queried], note[queried]
    if len(note) < 2 or not (np.isfinite(image).all() and np.isfinite(text).all()):
        return None
    _, first, group, copies = np.unique(note, return_index=True, return_inverse=True, return_counts=True)
    better, tied = _ranks(image, text[first][group] if one_text_per_note else text)
    same = copies[group]  # (n,) photographs that share the query's note
    return {
        **{f"recall_at_{k}": float(np.mean(np.clip(k - better, 0, tied) / tied)) for k in ks},
        **{f"ceiling_at_{k}": float(np.mean(np.minimum(k, same) / same)) for k in ks},
        "chance_at_1": 1.0 / len(note),
        "n": len(note),
        "unique_notes": len(first),
    }


def unavailable(n: int = 0, unique_notes: int = 0, ks: Sequence[int] = KS) -> dict[str, float | int | None]:
    """The document's entry where retrieval cannot be computed: the same keys, None for every figure."""
    names = [f"{figure}_at_{k}" for figure in ("recall", "ceiling") for k in ks]
    return {**dict.fromkeys(names), "chance_at_1": None, "n": n, "unique_notes": unique_notes}


def _ranks(image: Embedding, text: Embedding) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each query (n,): photographs scored strictly above its own, and those tied (its own included)."""
    photographs, own, copies = np.unique(_unit(image), axis=0, return_inverse=True, return_counts=True)
    queries, query = np.unique(_unit(text), axis=0, return_inverse=True)
    scores = queries @ photographs.T  # (distinct texts, distinct photographs)
    better, tied = np.empty(len(own), dtype=np.int64), np.empty(len(own), dtype=np.int64)
    for start in range(0, len(own), _CHUNK):
        part = slice(start, start + _CHUNK)
        row = scores[query[part]]
        target = row[np.arange(len(row)), own[part]][:, None]
        better[part], tied[part] = (row > target) @ copies, (row == target) @ copies
    return better, tied


def _unit(embedding: Embedding) -> Floats:
    wide = embedding.astype(np.float64)
    length = np.linalg.norm(wide, axis=1, keepdims=True)
    unit: Floats = wide / np.maximum(length, np.finfo(np.float64).tiny)
    return unit
