"""BRSET, the Brazilian Multilabel Ophthalmological Dataset, in every header version and with all its dirt.

Also reads whatever was written in BRSET's layout: IDRiD with most columns blank, synthetic data. Beside the
table, `centers.csv` (patient_id, center) and `split.csv` (patient_id, split) are honoured where present.
Source: Nakayama et al., PhysioNet, doi:10.13026/xcxw-8198; versions 1.0.0, 1.0.1 and 1.0.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from client.adapters import Loaded, Source
from client.adapters.codes import Value
from client.adapters.delimited import Row, columns_of, read_table
from client.adapters.fixed_columns import FixedRows, Layout
from client.adapters.notes import NO_ABNORMALITY, render
from client.adapters.photographs import Photographs
from client.adapters.values import coded, flag, number, word
from shared_model.records import FINDINGS

TABLES = ("labels_brset.csv", "labels.csv", "label_brset.csv")
PHOTOGRAPHS = "fundus_photos"

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

LAYOUT = Layout(
    name="BRSET",
    tables=TABLES,
    photographs=PHOTOGRAPHS,
    image="image_id",
    patient="patient_id",
    grades={"icdr": "dr_icdr", "sdrg": "dr_sdrg"},
    optional={
        "image_field": ("image_field", lambda text: coded(text, _QUALITY)),
        "age": ("patient_age", lambda text: number(text, 0, 120)),
        "sex": ("patient_sex", lambda text: coded(text, _SEX)),
        "eye": ("exam_eye", lambda text: coded(text, _EYE)),
        "diabetes_duration": ("diabetes_time_y", lambda text: number(text, 0, 120)),
        "insulin": ("insuline", flag),
        "diabetes": ("diabetes", flag),
        **{f"finding_{name}": (name, flag) for name in FINDINGS},
    },
    further=("camera", "dr_sdrg"),
    shown={"dr_icdr": "DR_ICDR"},
    says={
        "disagreement": "In {n} [row|rows] the diabetic_retinopathy flag contradicts the ICDR grade; both are kept.",
        "ungraded": "{n} [row has|rows have] no ICDR grade: [it is|they are] used, but not for grading.",
        "noteless": "{n} [row has|rows have] no finding recorded: [it has|they have] no note and "
        "[leaves|leave] the retrieval set.",
        "anatomy": "{n} [note says|notes say] that no abnormality is recorded although disc, vessels or macula are "
        "coded abnormal: notes speak of the 13 findings only.",
    },
    repeated=("disagreement",),
)


def recognises(folder: Path) -> bool:
    """Whether the folder holds BRSET's table; see client.site.init."""
    return any("dr_icdr" in map(str.casefold, columns_of(folder / name)) for name in TABLES)


def read(source: Source) -> Loaded:
    """The records of a folder in BRSET's layout; see client.adapters.load."""
    table = read_table(LAYOUT.table_in(source.folder), ALIASES)
    LAYOUT.require(table)
    rows = _Rows(table, Photographs(source.folder, PHOTOGRAPHS))
    for row in table.rows:
        rows.take(row)
    hint = f"Check that the photographs of the table lie in {PHOTOGRAPHS}/."
    return rows.reading.loaded(
        source.folder, rows.notices(), len(table.rows), hint=hint, repeated=rows.repeated()
    )


class _Rows(FixedRows):
    layout = LAYOUT

    def further(
        self, row: Row, grades: Mapping[str, int | None], values: Mapping[str, Value]
    ) -> dict[str, object]:
        note = render({name: values[f"finding_{name}"] for name in FINDINGS})
        icdr, retinopathy = grades["icdr"], values["finding_diabetic_retinopathy"]
        if icdr is not None and retinopathy is not None and (icdr >= 1) != (retinopathy == 1.0):
            self.counts["disagreement"] += 1
        self.counts["noteless"] += note is None
        abnormal = any(row.cells.get(column, "").strip() in ("2", "2.0") for column in _ANATOMY)
        self.counts["anatomy"] += note == NO_ABNORMALITY and abnormal
        return {"note": note, **{name: word(row.cells.get(name, "")) for name in ("center", "camera")}}
