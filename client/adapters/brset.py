"""BRSET, the Brazilian Multilabel Ophthalmological Dataset, in every header version and with all its dirt.

Also reads whatever was written in BRSET's layout: IDRiD with most columns blank, synthetic data. Beside the
table, `centers.csv` (patient_id, center) and `split.csv` (patient_id, split) are honoured where present.
Source: Nakayama et al., PhysioNet, doi:10.13026/xcxw-8198; versions 1.0.0, 1.0.1 and 1.0.2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from client.adapters import Loaded, Source
from client.adapters.delimited import Row, Table, columns_of, read_table
from client.adapters.notes import NO_ABNORMALITY, render
from client.adapters.photographs import Photographs
from client.adapters.reading import Reading
from client.adapters.values import coded, flag, number, word
from shared_model.errors import DataError
from shared_model.records import FINDINGS

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


def recognises(folder: Path) -> bool:
    """Whether the folder holds BRSET's table; see client.site.init."""
    return any("dr_icdr" in map(str.casefold, columns_of(folder / name)) for name in TABLES)


def read(source: Source) -> Loaded:
    """The records of a folder in BRSET's layout; see client.adapters.load."""
    table = read_table(_labels(source.folder), ALIASES)
    _require(table)
    rows = _Rows(table, Photographs(source.folder, PHOTOGRAPHS))
    for row in table.rows:
        rows.take(row)
    return rows.reading.loaded(
        source.folder,
        rows.notices(),
        len(table.rows),
        hint=f"Check that the photographs of the table lie in {PHOTOGRAPHS}/.",
    )


class _Rows:
    """Reads the rows of one table, and counts what a person should know about them."""

    def __init__(self, table: Table, photographs: Photographs) -> None:
        self.reading = Reading(table.path.name, photographs)
        self._columns = table.columns
        self._counts: Counter[str] = Counter()

    def take(self, row: Row) -> None:
        """Add the row to the records, or its problems to the quarantine."""
        reading, cells = self.reading, row.cells
        if row.problem:  # its cells may stand under the wrong columns
            reading.claim(cells.get("image_id", ""))
            reading.refuse(row.line, cells.get("image_id", ""), ("", row.problem))
            return
        problems: list[tuple[str, str]] = []
        image = reading.needed("image_id", cells.get("image_id", ""), problems)
        patient = reading.needed("patient_id", cells.get("patient_id", ""), problems)
        path = reading.photograph("image_id", image, problems)
        grades = {name: reading.grade(c, cells.get(c, ""), problems) for name, c in _GRADES.items()}
        if problems or image is None or patient is None or path is None:
            reading.refuse(row.line, image or "", *problems, patient=patient)
            return
        values = {
            name: reading.optional(row.line, image, column, cells.get(column, ""), how)
            for name, (column, how) in _OPTIONAL.items()
        }
        note = render({name: values[f"finding_{name}"] for name in FINDINGS})
        self._count(row, note, values["finding_diabetic_retinopathy"], grades["icdr"])
        words = {name: word(cells.get(name, "")) for name in ("center", "camera")}
        given = {"record_id": image, "patient_id": patient, "image_path": path, "note": note}
        reading.add(row.line, {**given, **words, **grades, **values})

    def notices(self) -> list[str]:
        """What a person should know about the rows that were read."""
        absent = [c for _, (c, _) in _OPTIONAL.items() if c not in self._columns]
        absent += [c for c in ("camera", "dr_sdrg") if c not in self._columns]
        said = [f"The table has no column {', '.join(absent)}: read as missing."] if absent else []
        return said + [
            sentence.format(n=self._counts[key]) for key, sentence in _SAYS.items() if self._counts[key]
        ]

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
