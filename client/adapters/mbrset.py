"""mBRSET, the Mobile Brazilian Retinal Dataset: photographs of a handheld camera, taken at a diabetes campaign.

Its 1,291 patients were all diagnosed with diabetes, as its authors state; the table has no column for it.
Retinopathy as a finding follows from the grade (ICDR 1 and more), macular edema is recorded, and nothing else.
Source: Wu et al., medRxiv 2024.07.11.24310293 and PhysioNet; Nakayama's repository luisnakayama/mBRSET.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from client.adapters import Loaded, Source
from client.adapters.codes import Value, reader
from client.adapters.delimited import Row, columns_of, read_table
from client.adapters.fixed_columns import FixedRows, Layout
from client.adapters.nested import NestedPhotographs
from client.adapters.notes import render_graded
from client.adapters.photographs import Photographs
from client.adapters.values import coded, flag, number

TABLES = ("labels_mbrset.csv", "labels.csv", "mbrset.csv")
PHOTOGRAPHS = "images"
CAMERA = "Phelcom Eyer"
NOTICES = (
    "mBRSET has no column for diabetes: every patient counts as diabetic, as its authors state.",
    "mBRSET has no SDRG grade and does not name visits.",
)

# 0 female, 1 male: the other way round than BRSET's 2 and 1.
_SEX = {"0": 0.0, "1": 1.0, "female": 0.0, "male": 1.0, "f": 0.0, "m": 1.0}
LAYOUT = Layout(
    name="mBRSET",
    tables=TABLES,
    photographs=PHOTOGRAPHS,
    image="file",
    patient="patient",
    grades={"icdr": "final_icdr"},
    optional={
        "age": ("age", lambda text: number(text, 0, 120)),
        "sex": ("sex", lambda text: coded(text, _SEX)),
        "diabetes_duration": ("dm_time", lambda text: number(text, 0, 120)),
        "insulin": ("insulin", flag),
        "finding_macular_edema": ("final_edema", flag),
        "eye": ("laterality", reader("eye")),
    },
    says={
        "ungraded": "{n} [row has|rows have] no ICDR grade: [it is|they are] used, but not for grading.",
        "noteless": "{n} [row has|rows have] neither grade nor edema recorded: [it has|they have] no note and "
        "[leaves|leave] the retrieval set.",
    },
)


def recognises(folder: Path) -> bool:
    """Whether the folder holds mBRSET's table; see client.site.init."""
    return any("final_icdr" in map(str.casefold, columns_of(folder / name)) for name in TABLES)


def read(source: Source) -> Loaded:
    """The records of a folder in mBRSET's layout; see client.adapters.load."""
    table = read_table(LAYOUT.table_in(source.folder))
    LAYOUT.require(table)
    rows = _Rows(table, _photographs(source.folder))
    for row in table.rows:
        rows.take(row)
    hint = f"Check that the photographs of the table (1.1.jpg ...) lie in {PHOTOGRAPHS}/ or beside the table."
    return rows.reading.loaded(source.folder, [*NOTICES, *rows.notices()], len(table.rows), hint=hint)


class _Rows(FixedRows):
    layout = LAYOUT

    def further(
        self, row: Row, grades: Mapping[str, int | None], values: Mapping[str, Value]
    ) -> dict[str, object]:
        icdr, edema = grades["icdr"], values["finding_macular_edema"]
        note = render_graded({"macular_edema": edema}, icdr)
        self.counts["noteless"] += note is None
        retinopathy = None if icdr is None else float(icdr >= 1)
        known = {"camera": CAMERA, "diabetes": 1.0, "finding_diabetic_retinopathy": retinopathy}
        return {"note": note, **known}


def _photographs(folder: Path) -> Photographs:
    """The photographs under images/ where there is such a folder, otherwise those beside the table."""
    under = [
        entry for entry in sorted(folder.iterdir()) if entry.name.casefold() == PHOTOGRAPHS and entry.is_dir()
    ]
    return NestedPhotographs(under[0] if under else folder, subfolders=False, names_only=True)
