"""What each input is worth, in one look: a line and a table row an input, from all of them down to the majority grade.

What the photograph adds is a paired difference on the photographs that have both inputs, so that nobody compares
patients with a note to patients without one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared_model.metrics import bootstrap
from shared_model.metrics.document import EVERY_SITE
from shared_model.metrics.predictions import Predictions
from shared_model.metrics.summary import figure
from shared_model.report.strips import Line, difference_line, strips
from shared_model.report.verdict import with_interval
from shared_model.report.views import Cell, cell

Document = Mapping[str, Any]
MASKED = "grade masked"
LEFT_IN = "grade left in"
NAMES = {
    "all": ("All inputs", MASKED),
    "image_note": ("Image and note", MASKED),
    "image_structured": ("Image and form", ""),
    "image": ("Image only", ""),
    "note": ("Note only", MASKED),
    "structured": ("Form only", "age, sex, eye, diabetes"),
    "all_unmasked": ("All inputs, unmasked", LEFT_IN),
    "note_unmasked": ("Note only, unmasked", LEFT_IN),
    "majority": ("Majority grade", "whatever it is given"),
}
COLUMNS = ("accuracy", "balanced_accuracy", "macro_f1")
_PAIRS = (
    ("image_note", "note", "Image added to the note", MASKED),
    ("image_structured", "structured", "Image added to the form", ""),
    ("image", "note", "Image alone against the note alone", MASKED),
    ("image", "structured", "Image alone against the form alone", ""),
    ("all_unmasked", "all", "Leaving the grade in the note", "all inputs, what the leak is worth"),
)


def by_input(document: Document, task: str) -> dict[str, Any]:
    """Kappa of each input on one axis."""
    lines = []
    for given, (label, small) in NAMES.items():
        found = _figures(document, task, given)
        kappa = figure(found)
        why = "" if kappa.value is not None else found.get("unavailable") or ""
        above = kappa.interval is not None and kappa.interval[0] > 0
        lines.append(Line(label, small, kappa.value, kappa.interval, why, above))
    return strips(lines, 0.0)


def table(document: Document, task: str) -> list[tuple[str, str, list[Cell]]]:
    """For each input its name, what it is, and COLUMNS with intervals and the number of photographs."""
    rows = []
    for given, (label, small) in NAMES.items():
        found = _figures(document, task, given)
        n = Cell(f"{found['n']:,}") if found.get("n") else Cell("")
        rows.append((label, small, [*(cell(figure(found, name)) for name in COLUMNS), n]))
    return rows


def contributions(predictions: Predictions, task: str, resamples: int, seed: int) -> dict[str, Any]:
    """Paired differences of kappa: what the photograph adds, and what the leak would."""
    lines = []
    for given, without, label, small in _PAIRS:
        found = _difference(predictions, task, (given, without), resamples, seed)
        n = f"{found['n']:,} photographs" if found["n"] else ""
        lines.append(difference_line(label, "; ".join(part for part in (small, n) if part), found))
    return strips(lines, 0.0, signed=True)


def sentence(document: Document, predictions: Predictions, task: str, resamples: int, seed: int) -> str:
    """What the photograph contributed, in words; empty without a figure."""
    image = figure(_figures(document, task, "image"))
    if image.value is None:
        return ""
    text = (
        f"From the photograph alone it grades {task.upper()} at a quadratic weighted kappa of "
        f"{with_interval(image.value, image.interval)}"
    )
    note = figure(_figures(document, task, "note"))
    if note.value is None:
        return f"{text}; a note alone was not available to compare it with."
    text += f", from the masked note alone at {with_interval(note.value, note.interval)}"
    added = _difference(predictions, task, ("image_note", "note"), resamples, seed)
    if added["difference"] is None or added["interval"] is None:
        return f"{text}."
    gain = with_interval(added["difference"], added["interval"], True)
    low, high = added["interval"]
    meaning = "brings" if low > 0 else "costs" if high < 0 else "makes no clear difference:"
    return f"{text}. Added to the note, the photograph {meaning} {gain}."


def _figures(document: Document, task: str, given: str) -> Mapping[str, Any]:
    model = "majority" if given == "majority" else "federated"
    found = ((document["models"].get(model) or {}).get(EVERY_SITE) or {}).get(task) or {}
    figures: Mapping[str, Any] = (
        found if given == "majority" else (found.get("by_input") or {}).get(given) or {}
    )
    return figures


def _difference(
    predictions: Predictions, task: str, inputs: tuple[str, str], resamples: int, seed: int
) -> dict[str, Any]:
    given, without = (predictions.predicted(task, name) for name in inputs)
    return bootstrap.paired_difference(
        predictions.labels(task),
        given,
        [without],
        predictions.patient,
        resamples=resamples,
        seed=seed,
    )
