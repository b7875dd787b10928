"""Photographs that answer a description, by the unimodal protocol: the note read alone, each photograph read alone.

A photograph is found by what is in it. Its own note is not read, even where the site has one, and neither vector has
seen the other; so the order is the one that a recall by the unimodal protocol speaks of, and no better.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

import numpy as np
import torch

from client.data.identifiers import mask
from client.site.prepare import keep_back
from client.use.cases import Cases
from client.use.finished import Finished
from client.use.reading import Progress, Reader
from shared_model.artefact import Artefact
from shared_model.errors import ConfigError, DataError
from shared_model.metrics.grading import Floats


@dataclass(frozen=True)
class Hit:
    """One photograph that was found. number: its place among all that were searched, from 1. score: cosine with the
    note's vector. deviations: how far above the mean of all scores, in standard deviations.
    """

    rank: int
    number: int
    record: str
    patient: str
    path: str
    score: float
    deviations: float


@dataclass(frozen=True)
class Search:
    """note: as it was read, identifiers masked. searched, unreadable: photographs. spread: mean and deviation of
    all scores. tokens, read: of the note, and how many of them the model reads. words, spelt: of the note, and how many
    of them its vocabulary does not hold, so that they are read letter by letter or not at all.
    """

    note: str
    hits: tuple[Hit, ...]
    searched: int
    unreadable: int
    spread: tuple[float, float]
    tokens: int
    read: int
    words: int
    spelt: int


def find(
    finished: Finished,
    note: str,
    cases: Cases,
    *,
    top: int = 5,
    processes: int | None = None,
    progress: Progress,
) -> Search:
    """The `top` photographs whose vectors are nearest to the note's; equal ones in the order of the photographs.

    Raises ConfigError for an empty note and DataError for a model that reads no notes and where no photograph can be
    read.
    """
    said = mask(note.strip())
    vector, tokens, read = note_vector(finished.artefact, said)
    table = keep_back(cases.table, ())  # nothing but the photographs
    reader = Reader(finished.artefact, processes or os.cpu_count() or 1, progress)
    found = [
        (one.predictions.record, one.predictions.embeddings["unimodal"]["image"])
        for one in reader.said(table)
    ]
    if not found:
        raise _nothing(reader, cases)
    records = np.concatenate([part[0] for part in found])
    scores = _unit(np.concatenate([part[1] for part in found])) @ _unit(vector[None])[0]
    mean, spread = float(scores.mean()), float(scores.std())
    order = np.argsort(-scores, kind="stable")[:top]
    rows = table.set_index("record_id")
    hits = []
    for rank, place in enumerate(order, start=1):
        record, score = str(records[place]), float(scores[place])
        patient = "" if record in cases.nameless else str(rows.at[record, "patient_id"])
        path, above = str(rows.at[record, "image_path"]), (score - mean) / spread if spread else 0.0
        hits.append(Hit(rank, int(place) + 1, record, patient, path, score, above))
    lost = len(reader.unreadable) + len(cases.set_aside)
    words = re.findall(r"[^\W\d_]{3,}", said)
    spelt = sum(_spelt(finished.artefact, word) for word in words)
    return Search(said, tuple(hits), len(records), lost, (mean, spread), tokens, read, len(words), spelt)


@torch.no_grad()
def note_vector(artefact: Artefact, note: str) -> tuple[Floats, int, int]:
    """The unimodal vector (D,) of a note; how many tokens it has and how many are read. Raises as `find`."""
    if not note:
        raise ConfigError(
            "The note is empty.", where="NOTE", fix='Give words, such as "hard exudates at the macula".'
        )
    if "text" not in artefact.model.config.inputs:
        raise DataError(
            "this model reads no notes, so it cannot look for what one describes",
            where="model.inputs",
            fix="give the model of a run with text among model.inputs",
        )
    if not artefact.standardisation.notes:
        raise DataError(
            "this model was trained without a single note, so it understands none",
            where="standardisation.json, notes",
            fix="give the model of a run whose sites have notes",
        )
    tokenizer, model = artefact.tokenizer, artefact.model
    whole = len(tokenizer.backend(note, verbose=False)["input_ids"])
    read = tokenizer.ids(note)
    encoding = model.fuse({"text": model.embed_text(tokenizer.pad([read]))})
    vector: Floats = encoding.cls["text"][0].double().numpy()
    return vector, whole, len(read)


def _spelt(artefact: Artefact, word: str) -> bool:
    """Whether a word is unknown to the vocabulary, or falls apart into nearly as many pieces as it has letters."""
    backend = artefact.tokenizer.backend
    pieces = backend.tokenize(word)
    return backend.unk_token in pieces or 2 * len(pieces) > len(word)


def _unit(vectors: Floats) -> Floats:
    length = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1.0)


def _nothing(reader: Reader, cases: Cases) -> DataError:
    why = next(iter(reader.unreadable.values()), "every row of the table is set aside")
    return DataError(
        "No photograph can be read, so none can be searched.",
        where=str(cases.folder),
        fix=f"The first reason is: {why}.",
    )
