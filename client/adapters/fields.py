"""How one row of a mapped table becomes the fields of a record.

A field is read by its codes, its unit and the date formats of the mapping. What a row has once for each eye
(the photograph, its grades, its findings) is one view of the row; a plain table has a single view.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from client.adapters.codes import EYES, Read, Value, compiled, reader
from client.adapters.dates import read_date, years_between
from client.adapters.mapping import Columns, Eye
from client.adapters.mapping import Mapping as TableMapping
from client.adapters.notes import render_graded
from client.adapters.values import Unusable, number, plain, word
from shared_model.records import FINDINGS

GRADES = ("icdr", "sdrg")
_SIMPLE = ("age", "sex", "eye", "diabetes_duration", "insulin", "diabetes", "image_field", "camera", "center")
# Field -> columns it can be worked out from: a date, or a year.
_SINCE = {"age": ("birth_date", "birth_year"), "diabetes_duration": ("diagnosis_date", "diagnosis_year")}

Optional = Callable[[str, Read], Value]  # reads a column, noting what cannot be read


@dataclass(frozen=True)
class View:
    """Where one photograph of a row stands: field -> column as the header writes it, and its notes.

    eye: 1 left, 0 right, None where a column says it.
    """

    columns: Mapping[str, str]
    notes: tuple[str, ...]
    eye: float | None = None


def views(mapping: TableMapping) -> tuple[View, ...]:
    """The photographs that every row of the table may have."""
    shared = _named(mapping.columns)
    if not mapping.eyes:
        return (View(shared, mapping.columns.note),)
    return tuple(
        View({**shared, **_named(own)}, (*mapping.columns.note, *own.note), EYES[own.eye])
        for own in mapping.eyes
    )


def _named(columns: Columns | Eye) -> dict[str, str]:
    flat = {name: column for name, column in columns if isinstance(column, str)}
    if isinstance(columns, Eye):
        del flat["eye"]  # which eye it is, not a column
    return flat | {f"finding_{name}": column for name, column in columns.findings.items()}


class Fields:
    """Reads cells by the codes, units and date formats of a mapping."""

    def __init__(self, mapping: TableMapping) -> None:
        self._mapping = mapping
        self._missing = {plain(text) for text in mapping.missing}
        self._codes = {name: compiled(name, codes) for name, codes in mapping.codes.items()}
        self._readers: dict[str, Read] = {}

    def cell(self, cells: Mapping[str, str], column: str | None) -> str:
        """The text of a column, "" where it is not mapped or the site says that this text means missing."""
        text = cells.get(column.strip().casefold(), "") if column else ""
        return "" if plain(text) in self._missing else text

    def read(self, field: str) -> Read:
        """How the cells of a field are read."""
        if field not in self._readers:
            self._readers[field] = self._reader(field)
        return self._readers[field]

    def _reader(self, field: str) -> Read:
        coded = field.removeprefix("finding_")
        codes = self._codes.get(coded)
        if codes is None and coded in FINDINGS:
            codes = self._codes.get("findings")
        unit = {"age": self._mapping.units.age, "diabetes_duration": self._mapping.units.diabetes_duration}
        return reader(coded, codes, unit.get(field, "years"))

    def optional(self, view: View, note: Optional) -> dict[str, Value]:
        """The fields of a view that may be missing; `note` reads a column and notes what it cannot read."""
        columns = view.columns
        names = (*_SIMPLE, *(f"finding_{name}" for name in FINDINGS))
        values = {name: note(columns[name], self.read(name)) if name in columns else None for name in names}
        exam = note(columns["exam_date"], self._date) if "exam_date" in columns else None
        for field, since in _SINCE.items():
            for column in since:
                if column in columns:
                    values[field] = note(columns[column], self._since(column, exam))
        if view.eye is not None:
            values["eye"] = view.eye
        visit = note(columns["visit"], word) if "visit" in columns else None
        return values | {"visit": visit if "visit" in columns else exam}

    def note(self, cells: Mapping[str, str], view: View) -> str | None:
        """The note of a view: its columns in the mapping's order, each closed as a sentence where there are several."""
        parts = [text for column in view.notes if (text := word(self.cell(cells, column)))]
        if len(view.notes) > 1:
            parts = [text if text.endswith((".", "!", "?", ";", ":")) else f"{text}." for text in parts]
        return "\n".join(parts) or None

    def rendered(self, values: Mapping[str, Value], icdr: Value) -> str | None:
        """The note written from the findings, where the mapping asks for it."""
        if not self._mapping.notes_from_findings:
            return None
        findings = {name: values[f"finding_{name}"] for name in FINDINGS}
        known = {name: value for name, value in findings.items() if isinstance(value, float)}
        return render_graded(known, icdr if isinstance(icdr, int) else None)

    def _date(self, text: str) -> str | None:
        found = read_date(text, self._mapping.date_formats)
        return found.isoformat() if found else None

    def _since(self, column: str, exam: Value) -> Read:
        then = date.fromisoformat(exam) if isinstance(exam, str) else None

        def years(text: str) -> float | None:
            if column.endswith("_year"):
                year = number(text, 1000, 9999)
                passed = then.year - year if then and year is not None else None
            else:
                began = read_date(text, self._mapping.date_formats)
                passed = years_between(began, then) if then and began else None
            if passed is not None and not 0 <= passed <= 120:
                raise Unusable("outside 0 to 120 years before the examination")
            return passed

        return years
