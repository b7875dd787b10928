"""The words of a note out of an update: which rows of the word embeddings moved, or what the note decoder learnt.

Only the words of a batch have a gradient in the word embeddings. A decoder's output bias moves up for the words of the
notes and down for all others.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from shared_model.model import Tokenizer
from simulations.audit.exposures import Exposure

EMBEDDINGS, DECODER = "word embeddings", "note decoder"
_ROWS, _BIAS = "word_embeddings.weight", "model.text_decoder.bias"
Floats = NDArray[np.float64]


def evidence(exposure: Exposure) -> dict[str, Floats]:
    """For each way that the words can be read in what travels: a score for every word of the vocabulary (V,)."""
    found: dict[str, Floats] = {}
    for name, moved in exposure.moved.items():
        if name.startswith("model.text_encoder.") and name.endswith(_ROWS):
            found[EMBEDDINGS] = _rows(moved, torch.from_numpy(exposure.base[name]))
        elif name == _BIAS:
            found[DECODER] = -moved.double().numpy()
    return found


def _rows(moved: torch.Tensor, base: torch.Tensor) -> Floats:
    """How far each row moved beyond weight decay, which shrinks all alike."""
    shrunk = moved.double() - _decay(moved, base) * base.double()
    return np.asarray(shrunk.norm(dim=1).numpy(), dtype=np.float64)


def _decay(moved: torch.Tensor, base: torch.Tensor) -> float:
    """The share by which an untouched row shrank: most rows are, so the median row's."""
    along = (moved * base).sum(dim=1).double() / base.square().sum(dim=1).double().clamp(min=1e-12)
    return float(along.median())


def content(tokenizer: Tokenizer) -> NDArray[np.int64]:
    """Ids of the vocabulary's words and pieces of words, without marks and the tokenizer's own."""
    special = set(tokenizer.backend.all_special_ids)
    vocabulary = tokenizer.backend.get_vocab()
    return np.array(
        sorted(i for word, i in vocabulary.items() if i not in special and word.removeprefix("##").isalpha())
    )


def frequencies(tokenizer: Tokenizer, notes: Collection[str]) -> Floats:
    """In how many of these notes each word of the vocabulary occurs (V,): what anybody would guess from."""
    found = np.zeros(len(tokenizer.backend))
    for note in notes:
        found[list(set(tokenizer.ids(note)))] += 1
    return found


def figures(
    scores: Floats, notes: Sequence[str], rare: str, tokenizer: Tokenizer, guessed: Floats
) -> dict[str, Any]:
    """Recall of the words of `notes` among as many words of the highest score, and of the most frequent words.

    rare: a word that only the target's note holds; `rank` is its place among all words, from 1. guessed: frequencies
    in the attacker's own notes.
    """
    words = content(tokenizer)
    held = {index for note in notes for index in tokenizer.ids(note)} & set(words.tolist())
    own = set(tokenizer.ids(rare)) & set(words.tolist())
    order = words[np.argsort(-scores[words], kind="stable")]
    usual = words[np.argsort(-guessed[words], kind="stable")]
    rank = max(int(np.flatnonzero(order == index)[0]) + 1 for index in own) if own else None
    return {
        "words": len(held),
        "vocabulary": len(words),
        "recall": len(held & set(order[: len(held)].tolist())) / max(1, len(held)),
        "recall_frequent": len(held & set(usual[: len(held)].tolist())) / max(1, len(held)),
        "rare_rank": rank,
        "rare_found": rank is not None and rank <= len(held),
        "found": [tokenizer.backend.convert_ids_to_tokens(int(i)) for i in order[: min(len(held), 40)]],
    }
