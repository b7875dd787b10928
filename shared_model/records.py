"""The canonical record: one fundus photograph with what is known about it, whatever the source.

Adapters turn a hospital's own tables into this one; nothing after them knows where a row came from. Every
field but the record, the patient and the image path may be missing. Codings follow BRSET (PhysioNet), with
categories turned into words or 0/1. Text columns are of pandas 3's own `str` dtype: a missing text is NaN,
so ask with `isna()`, never with `is None`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pandera.pandas as pa

from shared_model import grades

GRADES, TASKS = grades.GRADES, grades.TASKS

MODALITIES = ("image", "text", "structured")
SPLITS = ("train", "validation", "test")

FINDINGS = (
    "diabetic_retinopathy",
    "macular_edema",
    "scar",
    "nevus",
    "amd",
    "vascular_occlusion",
    "hypertensive_retinopathy",
    "drusens",
    "hemorrhage",
    "retinal_detachment",
    "myopic_fundus",
    "increased_cup_disc",
    "other",
)

TEXT = pd.StringDtype(na_value=np.nan)  # what pandas 3 calls `str`

# Order of the six inputs of the structured MLP.
STRUCTURED = ("age", "sex", "eye", "diabetes_duration", "insulin", "diabetes")


def _grade() -> pa.Column:
    return pa.Column("Int64", pa.Check.isin(range(GRADES)), nullable=True)


def _flag() -> pa.Column:
    return pa.Column(float, pa.Check.isin([0.0, 1.0]), nullable=True)


def _text() -> pa.Column:
    return pa.Column(TEXT, nullable=True)


SCHEMA = pa.DataFrameSchema(
    {
        "record_id": pa.Column(TEXT, unique=True),
        "patient_id": pa.Column(TEXT),
        "visit": _text(),  # which visit of the patient; unique within the patient only
        "image_path": pa.Column(TEXT),
        "center": _text(),
        "camera": _text(),
        "image_field": _flag(),  # 1 where the field is bad; used by the centre proxies only
        "note": _text(),  # full note, missing where nothing was recorded
        "masked_note": _text(),  # the same without any sentence that states the grade; "" is a note
        "age": pa.Column(float, pa.Check.in_range(0, 120), nullable=True),  # years
        "sex": _flag(),  # 1 male, 0 female
        "eye": _flag(),  # 1 left, 0 right
        "diabetes_duration": pa.Column(float, pa.Check.in_range(0, 120), nullable=True),  # years
        "insulin": _flag(),
        "diabetes": _flag(),
        "icdr": _grade(),
        "sdrg": _grade(),
        **{f"finding_{name}": _flag() for name in FINDINGS},
        "split": pa.Column(TEXT, pa.Check.isin(SPLITS), nullable=True),
    },
    strict=True,
    ordered=True,
    coerce=False,
)

COLUMNS = tuple(SCHEMA.columns)


def build(columns: Mapping[str, Sequence[object]]) -> pd.DataFrame:
    """The canonical table of these columns, in order and in SCHEMA's dtypes; a column not given is missing.

    columns: name of SCHEMA -> one value a record, None or NaN where missing. Raises KeyError for a name that
    SCHEMA does not have and pandera's SchemaErrors for values that do not fit.
    """
    unknown = set(columns) - set(COLUMNS)
    if unknown:
        raise KeyError(f"not columns of the canonical record: {sorted(unknown)}")
    length = len(next(iter(columns.values()), ()))
    series = {}
    for name, column in SCHEMA.columns.items():
        values = list(columns.get(name, [None] * length))
        series[name] = pd.Series(values, dtype=column.dtype.type)
    return validate(pd.DataFrame(series))


def validate(table: pd.DataFrame) -> pd.DataFrame:
    """The table itself, once it fits SCHEMA; pandera's SchemaErrors (a programming error here) if not."""
    checked: pd.DataFrame = SCHEMA.validate(table, lazy=True)
    return checked
