"""BRSET, the Brazilian Multilabel Ophthalmological Dataset, in every header version and with all its dirt.

Also reads whatever was written in BRSET's layout: IDRiD with most columns blank, synthetic data. Beside the
table, `centers.csv` (patient_id, center) and `split.csv` (patient_id, split) are honoured where present.
Source: Nakayama et al., PhysioNet, doi:10.13026/xcxw-8198; versions 1.0.0, 1.0.1 and 1.0.2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from client.adapters import Loaded, quarantine_table
from client.adapters.companions import centers, splits
from client.adapters.delimited import Row, Table, read_table
from client.adapters.notes import NO_ABNORMALITY, render
from client.adapters.photographs import Photographs
from client.adapters.values import Unusable, coded, flag, grade, identifier, is_blank, number
from client.data.notes import mask_grade
from shared_model.errors import DataError
from shared_model.records import FINDINGS, build

TABLES = ("labels_brset.csv", "labels.csv", "label_brset.csv")
PHOTOGRAPHS = "fundus_photos"
NEEDED = ("image_id", "patient_id", "dr_icdr")

# What other versions call a column -> what 1.0.1 calls it, in lower case.
ALIASES = {
    "iluminaton": "illuminaton",
    "illumination": "illuminaton",
    "insulin": "insuline",
    "drusen": "drusens",
    "diabetes_time": "diabetes_time_y",
    "icdr": "dr_icdr",
    "sdrg": "dr_sdrg",
    "centre": "center",
}

_SEX = {"1": 1.0, "2": 0.0} | dict.fromkeys(("male", "m", "masculino"), 1.0)
_SEX |= dict.fromkeys(("female", "f", "feminino"), 0.0)
# 1.0.2 re-maps exam_eye to words; a bare 0 is left unread, since nothing says which eye it would be.
_EYE = {"1": 0.0, "2": 1.0} | dict.fromkeys(("right", "r", "od", "right eye", "direito", "olho direito"), 0.0)
_EYE |= dict.fromkeys(("left", "l", "os", "oe", "left eye", "esquerdo", "olho esquerdo"), 1.0)
_QUALITY = {"1": 0.0, "2": 1.0}
_ANATOMY = ("optic_disc", "vessels", "macula")

# Canonical column -> BRSET's column and how its cells are read; what cannot be read becomes missing.
_OPTIONAL: Mapping[str, tuple[str, Callable[[str], float | None]]] = {
    "image_field": ("image_field", lambda text: coded(text, _QUALITY)),
    "age": ("patient_age", lambda text: number(text, 0, 120)),
    "sex": ("patient_sex", lambda text: coded(text, _SEX)),
    "eye": ("exam_eye", lambda text: coded(text, _EYE)),
    "diabetes_duration": ("diabetes_time_y", lambda text: number(text, 0, 120)),
    "insulin": ("insuline", flag),
    "diabetes": ("diabetes", flag),
    **{f"finding_{name}": (name, flag) for name in FINDINGS},
}
_GRADES = {"icdr": "dr_icdr", "sdrg": "dr_sdrg"}

_Value = TypeVar("_Value")


def read(folder: Path, *, mask_notes: bool = True) -> Loaded:
    """The records of a folder in BRSET's layout; see client.adapters.load."""
    table = read_table(_labels(folder), ALIASES)
    _require(table)
    reading = _Reading(table, Photographs(folder, PHOTOGRAPHS), mask_notes)
    for row in table.rows:
        reading.take(row)
    if not reading.records:
        first = f" (first reason: {reading.quarantined[0][3]})" if reading.quarantined else ""
        raise DataError(
            f"No row of the table can be used{first}.",
            where=str(table.path),
            fix=f"Check that the photographs of the table lie in {PHOTOGRAPHS}/.",
        )
    notices = reading.notices()
    patients = [str(record["patient_id"]) for record in reading.records]
    columns = {name: [r[name] for r in reading.records] for name in reading.records[0]}
    columns["center"], said = centers(folder, patients, columns["center"])
    columns["split"], also_said = splits(folder, patients)
    return Loaded(
        build(columns), quarantine_table(reading.quarantined), notices + said + also_said, reading.lines
    )


class _Reading:
    """What has been read so far: records, quarantined rows, and counts of what was blanked."""

    def __init__(self, table: Table, photographs: Photographs, mask_notes: bool) -> None:
        self.table = table
        self.photographs = photographs
        self.mask_notes = mask_notes
        self.records: list[dict[str, object]] = []
        self.quarantined: list[tuple[int, str, str, str]] = []
        self.lines: dict[str, int] = {}
        self._seen: dict[str, int] = {}
        self._masked: dict[str, str] = {}
        self._blanked: Counter[tuple[str, str]] = Counter()
        self._counts: Counter[str] = Counter()

    def take(self, row: Row) -> None:
        """Add the row to the records, or its problems to the quarantine."""
        if row.problem:  # its cells may stand under the wrong columns
            self.quarantined.append((row.line, row.cells.get("image_id", ""), "", row.problem))
            return
        problems: list[tuple[str, str]] = []
        image = self._needed(row, "image_id", problems)
        patient = self._needed(row, "patient_id", problems)
        path = self._photograph(row, image, problems)
        grades = {name: self._grade(row, column, problems) for name, column in _GRADES.items()}
        if problems or image is None or patient is None or path is None:
            self.quarantined += [(row.line, image or "", column, reason) for column, reason in problems]
            return
        values = {name: self._optional(row, *how) for name, how in _OPTIONAL.items()}
        note = render({name: values[f"finding_{name}"] for name in FINDINGS})
        self._count(row, note, values["finding_diabetic_retinopathy"], grades["icdr"])
        self.lines[image] = self._seen[path] = row.line
        self.records.append(
            {
                "record_id": image,
                "patient_id": patient,
                "image_path": path,
                "center": self._word(row, "center"),
                "camera": self._word(row, "camera"),
                "note": note,
                "masked_note": self._mask(note),
                **grades,
                **values,
            }
        )

    def notices(self) -> list[str]:
        """What a person should know about the rows that were read."""
        absent = [c for _, (c, _) in _OPTIONAL.items() if c not in self.table.columns]
        absent += [c for c in ("camera", "dr_sdrg") if c not in self.table.columns]
        said = [f"The table has no column {', '.join(absent)}: read as missing."] if absent else []
        said += [
            f"{count} values of {column} cannot be read ({reason}) and are treated as missing."
            for (column, reason), count in sorted(self._blanked.items())
        ]
        rows = len({line for line, *_ in self.quarantined})
        if rows:
            said.append(f"{rows} of {len(self.table.rows)} rows cannot be used and are set aside.")
        return said + [
            sentence.format(n=self._counts[key]) for key, sentence in _SAYS.items() if self._counts[key]
        ]

    def _needed(self, row: Row, column: str, problems: list[tuple[str, str]]) -> str | None:
        value = identifier(row.cells.get(column, ""))
        if value is None:
            problems.append((column, "missing"))
        return value

    def _photograph(self, row: Row, image: str | None, problems: list[tuple[str, str]]) -> str | None:
        if image is None:
            return None
        path = self.photographs.find(image)
        if path is None:
            problems.append(("image_id", "the photograph is absent"))
            return None
        if path in self._seen:
            problems.append(("image_id", f"the photograph is already named in line {self._seen[path]}"))
        return path

    def _grade(self, row: Row, column: str, problems: list[tuple[str, str]]) -> int | None:
        try:
            return grade(row.cells.get(column, ""))
        except Unusable as reason:
            problems.append((column, f"the grade is {reason}"))
            return None

    def _optional(self, row: Row, column: str, how: Callable[[str], _Value | None]) -> _Value | None:
        try:
            return how(row.cells.get(column, ""))
        except Unusable as reason:
            self._blanked[(column, str(reason))] += 1
            return None

    def _word(self, row: Row, column: str) -> str | None:
        text = row.cells.get(column, "").strip()
        return None if is_blank(text) else text

    def _mask(self, note: str | None) -> str | None:
        if note is None or not self.mask_notes:
            return note
        return self._masked.setdefault(note, mask_grade(note))

    def _count(self, row: Row, note: str | None, retinopathy: float | None, icdr: int | None) -> None:
        if icdr is None:
            self._counts["ungraded"] += 1
        elif retinopathy is not None and (icdr >= 1) != (retinopathy == 1.0):
            self._counts["disagreement"] += 1
        if note is None:
            self._counts["noteless"] += 1
        abnormal = any(row.cells.get(column, "").strip() in ("2", "2.0") for column in _ANATOMY)
        if note == NO_ABNORMALITY and abnormal:
            self._counts["anatomy"] += 1


_SAYS = {
    "disagreement": "In {n} rows the diabetic_retinopathy flag contradicts the ICDR grade; both are kept.",
    "ungraded": "{n} rows have no ICDR grade: they are used, but not for grading.",
    "noteless": "{n} rows have no finding recorded: they have no note and leave the retrieval set.",
    "anatomy": "{n} notes say that no abnormality is recorded although disc, vessels or macula are coded "
    "abnormal: notes speak of the 13 findings only.",
}


def _labels(folder: Path) -> Path:
    names = {entry.name.casefold(): entry for entry in sorted(folder.iterdir()) if entry.is_file()}
    for name in TABLES:
        if name in names:
            return names[name]
    raise DataError(
        f"There is no table of labels: looked for {', '.join(TABLES)}.",
        where=str(folder),
        fix=f"Put BRSET's table into the folder under one of these names, beside {PHOTOGRAPHS}/.",
    )


def _require(table: Table) -> None:
    missing = [name for name in NEEDED if name not in table.columns]
    if missing:
        shown = {"dr_icdr": "DR_ICDR"}
        raise DataError(
            f"The table lacks {', '.join(shown.get(name, name) for name in missing)}.",
            where=f"{table.path}, line 1",
            fix="Add the column, or correct its name in the header.",
        )
