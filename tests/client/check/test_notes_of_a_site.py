from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from client.adapters import Loaded, problem_table
from client.check.notes import find_all, identifier_findings, length_findings, masked_table, note_summary
from client.data.notes import mask_grade
from shared_model.config import load_config
from shared_model.records import build

LONG = "Drusen in the macula of the right eye. " * 20
TEXTS = ["No abnormality is recorded.", LONG, LONG, None, "Seen by Dr. Ana Lima, tel 11 98765-4321. NPDR."]


@pytest.fixture
def loaded() -> Loaded:
    columns: dict[str, Any] = {
        "record_id": [f"r{k}" for k in range(len(TEXTS))],
        "patient_id": ["p"] * len(TEXTS),
        "image_path": ["x"] * len(TEXTS),
        "note": TEXTS,
        "masked_note": [None if text is None else mask_grade(text) for text in TEXTS],
    }
    lines = {f"r{k}": k + 2 for k in range(len(TEXTS))}
    return Loaded(build(columns), problem_table([]), [], lines, source="labels.csv")


def test_tokens_beyond_what_the_model_reads_are_counted(loaded: Loaded) -> None:
    summary = note_summary(loaded.table, load_config("paper").model.text)
    assert (summary.notes, summary.missing, summary.different, summary.no_abnormality) == (4, 1, 3, 1)
    assert summary.read is not None
    assert summary.kept is not None
    assert (summary.read.limit, summary.kept.limit) == (126, 50)
    assert summary.read.notes == 2
    assert summary.read.tokens == 2 * (summary.longest - 126)
    assert 0 < summary.read.share < summary.kept.share < 1
    assert summary.state_grade == 2  # nothing abnormal, and NPDR
    findings = length_findings(loaded, summary)
    assert [finding.kind for finding in findings] == ["note_cut_by_encoder", "note_cut_by_fusion"]
    assert "2 of 4 notes are longer than 126 tokens" in findings[0].what


def test_which_vocabulary_counted_is_said(loaded: Loaded) -> None:
    summary = note_summary(loaded.table, load_config("tiny").model.text)
    assert summary.tokenizer == "the packaged vocabulary"
    assert "packaged vocabulary" in length_findings(loaded, summary)[0].what


def test_identifiers_are_named_by_kind_and_line_and_never_quoted(loaded: Loaded) -> None:
    findings = identifier_findings(loaded, find_all(loaded.table["note"]), masked=True)
    assert [finding.where for finding in findings] == ["labels.csv: line 6"] * 2
    assert {finding.level for finding in findings} == {"warning"}
    assert not [f for f in findings if "Lima" in f.what + f.fix + f.where or "98765" in f.what]


def test_notes_are_counted_as_they_are_used(loaded: Loaded) -> None:
    table = masked_table(loaded.table, find_all(loaded.table["note"]))
    assert table["note"][4] == "Seen by Dr. [name], tel [phone]. NPDR."
    assert table["masked_note"][4] == "Seen by Dr. [name], tel [phone]."
    unchanged = [0, 1, 2, 3]
    pd.testing.assert_series_equal(table["note"][unchanged], loaded.table["note"][unchanged])


def test_a_site_without_notes_has_nothing_to_cut(loaded: Loaded) -> None:
    empty = loaded.table.assign(note=loaded.table["note"].mask(loaded.table["note"].notna()))
    summary = note_summary(empty, load_config("paper").model.text)
    assert (summary.notes, summary.longest, summary.read) == (0, 0, None)
    assert length_findings(loaded, summary) == []
