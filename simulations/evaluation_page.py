"""The page of an evaluation, made where the data is: its searches and errors with their photographs and notes.

Photographs come out of the prepared store, so that no header of a file comes with them; notes are masked for
identifiers once more; and a record is named by its line in the site's own table, which only the site can look up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from client.data.identifiers import mask
from client.data.images import ImageStore
from shared_model.files import require_page, write_text
from shared_model.metrics.grading import Floats
from shared_model.metrics.predictions import Predictions
from shared_model.records import FINDINGS, TASKS
from shared_model.report.evaluation import (
    Cases,
    Choice,
    Found,
    Mistake,
    Photograph,
    Search,
    chosen_searches,
    hardest,
    render,
)
from shared_model.report.evaluation.cases import OWN, SAME
from simulations.samples import jpeg

Temperatures = Mapping[str, float | Floats]
_LONGEST = 320  # characters of a note that are shown
_EYES = {0.0: ", right eye", 1.0: ", left eye"}


@dataclass(frozen=True)
class Shown:
    """The records that were evaluated. lines: record -> line of the site's table, 0 where it has none."""

    table: pd.DataFrame
    images: ImageStore
    lines: Mapping[str, int]

    def photograph(self, record: str) -> Photograph:
        """The prepared photograph with its line and recorded grades."""
        row = self._row(record)
        grades = {task: int(row[task]) for task in TASKS if pd.notna(row[task])}
        return Photograph(jpeg(self.images, record), self.name(record), grades)

    def name(self, record: str) -> str:
        """Where to find a record: its line, or its place among those that could be used."""
        line = self.lines.get(record, 0)
        where = f"Line {line:,}" if line else f"Usable record {self._places[record] + 1:,}"
        return where + _EYES.get(self._row(record)["eye"], "")

    def note(self, record: str) -> str:
        """The note, identifiers masked, cut where it is long."""
        note = self._row(record)["note"]
        text = mask(note) if isinstance(note, str) else ""
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST].rstrip()} …"

    def recorded(self, record: str) -> str:
        """What else was recorded: the note or, without one, the findings."""
        note, row = self.note(record), self._row(record)
        if note:
            return f"Note: “{note}”"
        found = [name.replace("_", " ") for name in FINDINGS if row[f"finding_{name}"] == 1]
        return f"No note; findings: {', '.join(found)}." if found else "No note."

    @cached_property
    def _places(self) -> dict[str, int]:
        return {record: place for place, record in enumerate(self.table["record_id"])}

    def _row(self, record: str) -> dict[Any, Any]:
        found: dict[Any, Any] = self.table.iloc[self._places[record]].to_dict()
        return found


def evaluation_page(
    document: Mapping[str, Any],
    predictions: Predictions,
    temperatures: Temperatures,
    shown: Shown,
    seed: int,
) -> str:
    """The page of a document, with the cases that its predictions call for."""
    cases = Cases(
        [_search(choice, predictions, shown) for choice in chosen_searches(predictions)],
        {task: _mistakes(predictions, task, temperatures.get(task, 1.0), shown) for task in TASKS},
    )
    return render(document, predictions, cases, seed)


def check_page(path: Path | None) -> None:
    """Raises, before anything is computed, where the page could not be written to `path` (shared_model.files)."""
    if path is not None:
        require_page(path)


def write_page(path: Path, page: str) -> None:
    """Whole or not at all, readable by its owner alone (a temporary file is 0600 and is renamed)."""
    write_text(path, page)


def _search(choice: Choice, predictions: Predictions, shown: Shown) -> Search:
    query = str(predictions.record[choice.query])
    note = predictions.note

    def hit(position: int) -> str:
        return OWN if position == choice.query else SAME if note[position] == note[choice.query] else ""

    return Search(
        note=shown.note(query),
        name=shown.name(query),
        found=[
            Found(shown.photograph(str(predictions.record[position])), hit(position))
            for position in choice.found
        ],
        own=choice.own,
        first=choice.first,
        copies=choice.copies,
        gallery=choice.gallery,
    )


def _mistakes(
    predictions: Predictions, task: str, temperature: float | Floats, shown: Shown
) -> list[Mistake]:
    found = []
    for position, probability in hardest(predictions, task, temperature):
        record = str(predictions.record[position])
        found.append(
            Mistake(
                photograph=shown.photograph(record),
                recorded=int(predictions.truth[task][position]),
                predicted=int(probability.argmax()),
                probabilities=probability.tolist(),
                said=shown.recorded(record),
            )
        )
    return found
