"""Values that are possible one by one and impossible together: diabetes that is older than its patient.

Which of the two is wrong nobody can tell from here, so the duration, which is the rarer and the less reliable of the
two, is treated as missing; the record stays.
"""

from __future__ import annotations

import pandas as pd

LONGER_THAN_LIFE = "longer than the patient's age"
_ROUNDING = 1.0  # years: ages are cut to whole years, durations are not


def impossible_durations(table: pd.DataFrame) -> pd.Series:
    """True for every record of a canonical table whose diabetes is older than the patient; boolean (N,)."""
    longer: pd.Series = table["diabetes_duration"] >= table["age"] + _ROUNDING
    return longer


def without_impossible(table: pd.DataFrame) -> tuple[pd.DataFrame, list[tuple[str, str, str]]]:
    """The table with impossible durations missing, and (record, column, reason) of each."""
    impossible = impossible_durations(table)
    records = table.loc[impossible, "record_id"]
    blanked = table.assign(diabetes_duration=table["diabetes_duration"].mask(impossible))
    return blanked, [(str(record), "diabetes_duration", LONGER_THAN_LIFE) for record in records]
