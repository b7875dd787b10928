"""mBRSET, the Mobile Brazilian Retinal Dataset: photographs of a handheld camera, taken at a diabetes campaign.

Its 1,291 patients were all diagnosed with diabetes, as its authors state; the table has no column for it.
Retinopathy as a finding follows from the grade (ICDR 1 and more), macular edema is recorded, and nothing else.
Source: Wu et al., medRxiv 2024.07.11.24310293 and PhysioNet; Nakayama's repository luisnakayama/mBRSET.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from client.adapters import Loaded, Source
from client.adapters.codes import reader
from client.adapters.delimited import Row, Table, columns_of, read_table
from client.adapters.nested import NestedPhotographs
from client.adapters.notes import render_graded
from client.adapters.photographs import Photographs
from client.adapters.reading import Reading
from client.adapters.values import coded, flag, number
from shared_model.errors import DataError

TABLES = ("labels_mbrset.csv", "labels.csv", "mbrset.csv")
PHOTOGRAPHS = "images"
NEEDED = ("patient", "file", "final_icdr")
CAMERA = "Phelcom Eyer"

# 0 female, 1 male: the other way round than BRSET's 2 and 1.
_SEX = {"0": 0.0, "1": 1.0, "female": 0.0, "male": 1.0, "f": 0.0, "m": 1.0}
_OPTIONAL: Mapping[str, tuple[str, Callable[[str], float | None]]] = {
    "age": ("age", lambda text: number(text, 0, 120)),
    "sex": ("sex", lambda text: coded(text, _SEX)),
    "diabetes_duration": ("dm_time", lambda text: number(text, 0, 120)),
    "insulin": ("insulin", flag),
    "finding_macular_edema": ("final_edema", flag),
}


def recognises(folder: Path) -> bool:
    """Whether the folder holds mBRSET's table; see client.site.init."""
    return any("final_icdr" in map(str.casefold, columns_of(folder / name)) for name in TABLES)


def read(source: Source) -> Loaded:
    """The records of a folder in mBRSET's layout; see client.adapters.load."""
    table = read_table(_labels(source.folder))
    missing = [name for name in NEEDED if name not in table.columns]
    if missing:
        raise DataError(
            f"The table lacks {', '.join(missing)}.",
            where=f"{table.path}, line 1",
            fix="Add the column, or correct its name in the header.",
        )
    rows = _Rows(table, _photographs(source.folder))
    for row in table.rows:
        rows.take(row)
    hint = f"Check that the photographs of the table (1.1.jpg ...) lie in {PHOTOGRAPHS}/ or beside the table."
    return rows.reading.loaded(source.folder, rows.notices(), len(table.rows), hint=hint)


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
            reading.claim(cells.get("file", ""))
            reading.refuse(row.line, cells.get("file", ""), ("", row.problem))
            return
        problems: list[tuple[str, str]] = []
        image = reading.needed("file", cells.get("file", ""), problems)
        patient = reading.needed("patient", cells.get("patient", ""), problems)
        path = reading.photograph("file", image, problems)
        icdr = reading.grade("final_icdr", cells.get("final_icdr", ""), problems)
        if problems or image is None or patient is None or path is None:
            reading.refuse(row.line, image or "", *problems, patient=patient)
            return
        values = {
            name: reading.optional(row.line, image, column, cells.get(column, ""), how)
            for name, (column, how) in _OPTIONAL.items()
        }
        side = reading.optional(row.line, image, "laterality", cells.get("laterality", ""), reader("eye"))
        retinopathy = None if icdr is None else float(icdr >= 1)
        note = render_graded({"macular_edema": values["finding_macular_edema"]}, icdr)
        self._counts["ungraded"] += icdr is None
        self._counts["noteless"] += note is None
        given = {"record_id": image, "patient_id": patient, "image_path": path, "note": note, "icdr": icdr}
        known = {"eye": side, "camera": CAMERA, "diabetes": 1.0, "finding_diabetic_retinopathy": retinopathy}
        reading.add(row.line, {**given, **known, **values})

    def notices(self) -> list[str]:
        """What a person should know about the rows that were read."""
        absent = [c for c in (*(c for c, _ in _OPTIONAL.values()), "laterality") if c not in self._columns]
        said = [f"The table has no column {', '.join(absent)}: read as missing."] if absent else []
        said += [
            "mBRSET has no column for diabetes: every patient counts as diabetic, as its authors state.",
            "mBRSET has no SDRG grade and does not name visits.",
        ]
        return said + [text.format(n=self._counts[key]) for key, text in _SAYS.items() if self._counts[key]]


_SAYS = {
    "ungraded": "{n} rows have no ICDR grade: they are used, but not for grading.",
    "noteless": "{n} rows have neither grade nor edema recorded: they have no note and leave the retrieval set.",
}


def _photographs(folder: Path) -> Photographs:
    """The photographs under images/ where there is such a folder, otherwise those beside the table."""
    under = [
        entry for entry in sorted(folder.iterdir()) if entry.name.casefold() == PHOTOGRAPHS and entry.is_dir()
    ]
    return NestedPhotographs(under[0] if under else folder, subfolders=False, names_only=True)


def _labels(folder: Path) -> Path:
    names = {entry.name.casefold(): entry for entry in sorted(folder.iterdir()) if entry.is_file()}
    for name in TABLES:
        if name in names:
            return names[name]
    raise DataError(
        f"There is no table of labels: looked for {', '.join(TABLES)}.",
        where=str(folder),
        fix=f"Put mBRSET's table into the folder under one of these names, beside {PHOTOGRAPHS}/.",
    )
