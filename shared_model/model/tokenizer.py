"""Notes to token ids.

A hub tokenizer comes with pretrained text weights. Without them the vocabulary in this folder is used: words of
ophthalmic notes and single characters, written by hand from public terms, never learnt from anybody's notes, so
that every site has the same one and none has to show a note to make it.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoTokenizer, BertTokenizer

from shared_model.errors import ConfigError
from shared_model.model.fusion_model import FusionModel, TextBatch


class Tokenizer:
    """Cased WordPiece ids with CLS and SEP, cut at `maximum_tokens`, padded to the longest note of the batch."""

    def __init__(self, backend: Any, maximum_tokens: int) -> None:
        self.backend = backend
        self.maximum_tokens = maximum_tokens
        self.padding = int(backend.pad_token_id)

    def __call__(self, notes: Sequence[str]) -> TextBatch:
        """ids and mask, (len(notes), L)."""
        return self.pad([self.ids(note) for note in notes])

    def ids(self, note: str) -> list[int]:
        """CLS, the note's tokens, SEP; cut at `maximum_tokens`."""
        ids: list[int] = self.backend(note, truncation=True, max_length=self.maximum_tokens)["input_ids"]
        return ids

    def pad(self, rows: Sequence[Sequence[int]]) -> TextBatch:
        """Lists of ids to one batch, padded to the longest."""
        length = max(len(row) for row in rows)
        ids = torch.full((len(rows), length), self.padding, dtype=torch.long)
        mask: Tensor = torch.zeros_like(ids)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = torch.tensor(row, dtype=torch.long)
            mask[index, : len(row)] = 1
        return TextBatch(ids, mask)


def load_tokenizer(model: FusionModel, folder: Path | None = None) -> Tokenizer:
    """The tokenizer that belongs to the model's text weights, wherever those came from.

    folder: a model artefact or a transformers folder that overrides it. ConfigError if it does not fit.
    """
    config = model.config.text
    source = folder or model.text_source
    backend = _packaged() if source is None else read_tokenizer(source)
    if 0 < model.vocabulary < len(backend):
        raise ConfigError(
            f"the tokenizer has {len(backend)} tokens, the text encoder {model.vocabulary}",
            where="model.text.vocabulary",
            fix="use the tokenizer that belongs to the encoder, or a larger vocabulary",
        )
    return Tokenizer(backend, config.maximum_tokens)


def read_tokenizer(source: str | Path) -> Any:
    """The tokenizer of a transformers folder, or of the hub's that was fetched before. ConfigError if there is none."""
    try:
        return AutoTokenizer.from_pretrained(source, do_lower_case=False, local_files_only=True)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"the tokenizer cannot be read: {error}",
            where=str(source),
            fix="the folder of the text encoder must hold its tokenizer files",
        ) from None


def _packaged() -> Any:
    with resources.as_file(resources.files("shared_model.model") / "vocabulary.txt") as path:
        return BertTokenizer(vocab=str(path), do_lower_case=False)
