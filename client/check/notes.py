"""The notes of a site: how many, how long, what the model will not read of them, and whom they name.

A text encoder reads so many tokens and the fusion keeps fewer: what is beyond is lost without a word unless it is
counted here. Everything is counted by record, since a note that many records share is lost that many times.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from client.adapters import Loaded
from client.adapters.notes import NO_ABNORMALITY
from client.check.finding import Finding, place_of
from client.data.identifiers import KINDS, Identifier, find, mask
from client.data.notes import mask_grade
from shared_model.records import TEXT
from shared_model.wording import counted, worded

if TYPE_CHECKING:
    from shared_model.config.schema import TextEncoderConfig
    from shared_model.model.token_count import Count

_SPECIAL = 2  # CLS and SEP
_BATCH = 1024
_WORDS = {
    "name": "names",
    "date_of_birth": "dates of birth",
    "phone": "telephone numbers",
    "email": "e-mail addresses",
    "cpf": "CPF numbers",
    "record_number": "record or card numbers",
}


@dataclass(frozen=True)
class Cut:
    """What a limit of `limit` tokens takes: records whose note is longer, tokens lost, share of all tokens."""

    limit: int
    notes: int
    tokens: int
    share: float


@dataclass(frozen=True)
class NoteSummary:
    """Counts of records; lengths in tokens, the special ones not counted.

    different: of distinct notes. no_abnormality: notes that state that nothing was found. state_grade: notes with
    sentences that grading does not read. read, kept: what the encoder and the fusion cut off.
    """

    notes: int
    missing: int
    different: int
    no_abnormality: int
    state_grade: int
    longest: int
    median: int
    read: Cut | None
    kept: Cut | None
    tokenizer: str


def note_summary(table: pd.DataFrame, config: TextEncoderConfig) -> NoteSummary:
    """How long the notes of a site are, and how much of them a model of this configuration reads.

    table: canonical, its notes as the model gets them (identifiers masked).
    """
    from shared_model.model.token_count import token_counter

    present = table["note"].dropna()
    counts = present.value_counts()
    count, own = token_counter(config)
    lengths = np.repeat(_lengths(list(counts.index), count), counts.to_numpy())
    pairs = table[["note", "masked_note"]].dropna()
    graded = sum(note.split() != masked.split() for note, masked in pairs.itertuples(index=False))
    return NoteSummary(
        notes=len(present),
        missing=len(table) - len(present),
        different=len(counts),
        no_abnormality=int((present == NO_ABNORMALITY).sum()),
        state_grade=int(graded),
        longest=int(lengths.max(initial=0)),
        median=int(np.median(lengths)) if len(lengths) else 0,
        read=_cut(lengths, config.maximum_tokens - _SPECIAL),
        kept=_cut(lengths, min(config.kept_tokens, config.maximum_tokens - _SPECIAL)),
        tokenizer=config.name if own else "the packaged vocabulary",
    )


def length_findings(loaded: Loaded, summary: NoteSummary) -> list[Finding]:
    """What the model will not read, as findings."""
    findings = []
    how = f"Counted with {summary.tokenizer}."
    if summary.tokenizer == "the packaged vocabulary":
        how += " It cuts words it does not know into letters: the encoder's own would count fewer tokens."
    for kind, cut, who in (
        ("note_cut_by_encoder", summary.read, "the text encoder reads no further"),
        ("note_cut_by_fusion", summary.kept, "only that many go on to be joined with photograph and form"),
    ):
        if cut and cut.notes:
            findings.append(
                Finding(
                    kind=kind,
                    level="note",
                    what=worded(
                        "{n} of {notes} [is|are] longer than {limit} tokens; {who}, "
                        "which loses {lost} ({share:.1%} of all). {how}",
                        cut.notes,
                        notes=counted(summary.notes, "note"),
                        limit=cut.limit,
                        who=who,
                        lost=counted(cut.tokens, "token"),
                        share=cut.share,
                        how=how,
                    ),
                    where=loaded.source,
                    count=cut.notes,
                    fix="Nothing need be done; if what matters stands at the end of the notes, shorten them.",
                )
            )
    return findings


def find_all(notes: pd.Series) -> dict[str, list[Identifier]]:
    """The identifiers of every different note."""
    return {note: find(note) for note in notes.dropna().unique()}


def masked_table(table: pd.DataFrame, found: Mapping[str, list[Identifier]]) -> pd.DataFrame:
    """The table with its notes as they are used: every identifier replaced by its kind."""
    masks = {note: mask(note, held) for note, held in found.items() if held}
    graded = {text: mask_grade(text) for text in masks.values()}
    changed = table["note"].map(masks)
    return table.assign(
        note=table["note"].mask(changed.notna(), changed).astype(TEXT),
        masked_note=table["masked_note"].mask(changed.notna(), changed.map(graded)).astype(TEXT),
    )


def identifier_findings(
    loaded: Loaded, found: Mapping[str, list[Identifier]], *, masked: bool
) -> list[Finding]:
    """One finding a kind of identifier that stands in some note; masked: whether the policy masks them.

    loaded: as read with `mask_identifiers=False`, since a masked note no longer says what it held.
    """
    records: dict[str, list[str]] = defaultdict(list)
    places: Counter[str] = Counter()
    for note, record in zip(loaded.table["note"], loaded.table["record_id"], strict=True):
        kinds = [identifier.kind for identifier in found.get(note, ())] if isinstance(note, str) else []
        places.update(kinds)
        for kind in set(kinds):
            records[kind].append(record)
    if masked:
        treatment = "They are masked before anything reads the notes"
        fix = "Remove them at the source if you can: what stands without a title or a label is not found."
    else:
        treatment = "They are not masked, since site.toml says so"
        fix = "Set mask_identifiers = true under [policy] in site.toml, and remove them at the source."
    return [
        Finding(
            kind="identifier_in_note",
            level="warning",
            what=worded(
                "{n} [note holds|notes hold] {what} ({places}). {treatment}.",
                len(records[kind]),
                what=_WORDS[kind],
                places=counted(places[kind], "place"),
                treatment=treatment,
            ),
            where=place_of(records[kind], loaded.source, loaded.lines),
            count=len(records[kind]),
            fix=fix,
            rows=tuple(records[kind]),
        )
        for kind in KINDS
        if records[kind]
    ]


def _lengths(notes: list[str], count: Count) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Tokens of every note, the special ones not counted."""
    lengths = []
    for start in range(0, len(notes), _BATCH):
        lengths += count(notes[start : start + _BATCH])
    return np.array(lengths, dtype=np.int64)


def _cut(lengths: np.ndarray[tuple[int], np.dtype[np.int64]], limit: int) -> Cut | None:
    if not len(lengths):
        return None
    lost = np.maximum(lengths - limit, 0)
    return Cut(limit, int((lost > 0).sum()), int(lost.sum()), float(lost.sum() / max(1, lengths.sum())))
