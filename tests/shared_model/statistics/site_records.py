"""Records of a site and the answer it would give about them, exact where no policy says otherwise."""

from __future__ import annotations

from typing import Any

import pandas as pd
from hypothesis import strategies as st

from client.statistics.policy import OPEN
from client.statistics.site_answer import site_answer
from shared_model.records import build

YEARS = st.one_of(st.none(), st.integers(0, 120).map(float))
FLAG = st.sampled_from([0.0, 1.0, None])


def site_statistics(table: pd.DataFrame) -> dict[str, Any]:
    return site_answer(table, None, OPEN)


def records(rows: list[dict[str, Any]]) -> pd.DataFrame:
    names = [f"r{i}" for i in range(len(rows))]
    columns = {name: [row.get(name) for row in rows] for name in {name for row in rows for name in row}}
    columns.pop("patient", None)
    return build({"record_id": names, "patient_id": names, "image_path": names, **columns})


FULL_ROW = st.fixed_dictionaries(
    {
        "patient": st.integers(0, 15),
        "age": YEARS,
        "diabetes_duration": YEARS,
        **dict.fromkeys(("sex", "eye", "insulin", "diabetes", "finding_scar", "finding_other"), FLAG),
        "icdr": st.sampled_from([None, 0, 1, 2, 3, 4]),
        "sdrg": st.sampled_from([None, 0, 4]),
    }
)
