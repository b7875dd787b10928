"""Values that contradict each other, within a row or between the rows of a patient. Nothing is removed for it.

Each rule is one that correct data cannot break, so that a finding is always worth a look: a grade of 1 on one scale
and 0 on the other is a matter of opinion, 2 and 0 is not. Rows without a visit are compared as one visit.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from client.adapters import Loaded
from client.check.finding import Finding, place_of
from client.data.plausible import impossible_durations
from shared_model.wording import counted, worded

AGE_SPREAD = 15.0  # years between rows of a patient whose visits are not known
AGE_SAME_VISIT = 1.0  # a birthday between two entries
_DATE = r"(?:19|20)\d\d-\d\d-\d\d"

_Rule = Callable[[pd.DataFrame], pd.Series]


def contradictions(loaded: Loaded) -> list[Finding]:
    """Findings of every rule that some record breaks."""
    table = loaded.table
    findings = []
    for kind, (rule, of, what, fix) in _RULES.items():
        broken = rule(table)
        records = tuple(table.loc[broken.to_numpy(dtype=bool), "record_id"])
        if records:
            patients = table.loc[table["record_id"].isin(records), "patient_id"].nunique()
            findings.append(
                Finding(
                    kind=kind,
                    level="warning",
                    what=worded(
                        what,
                        len(records) if of == "rows" else patients,
                        rows=counted(len(records), "row"),
                        patients=counted(patients, "patient"),
                    ),
                    where=place_of(records, loaded.source, loaded.lines),
                    count=len(records),
                    fix=fix,
                    rows=records,
                )
            )
    return findings


def _flag_against_grade(table: pd.DataFrame) -> pd.Series:
    flag, grade = table["finding_diabetic_retinopathy"], table["icdr"]
    return _true(flag.notna() & grade.notna() & ((flag == 1.0) != (grade >= 1)))


def _grades_disagree(table: pd.DataFrame) -> pd.Series:
    icdr, sdrg = table["icdr"], table["sdrg"]
    return _true(((icdr == 0) & (sdrg >= 1)) | ((icdr >= 2) & (sdrg == 0)))


def _eye_graded_twice(table: pd.DataFrame) -> pd.Series:
    eye = [*_visit(table), table["eye"]]
    different = pd.Series(False, index=table.index)
    for grade in ("icdr", "sdrg"):
        different |= table[grade].groupby(eye, dropna=False).transform("nunique") > 1
    return different & table["eye"].notna()


def _eye_twice(table: pd.DataFrame) -> pd.Series:
    """Both photographs of a visit are called the same eye; with three and more, repeating an eye is usual."""
    visit = table["eye"].groupby(_visit(table), dropna=False)
    two = (visit.transform("size") == 2) & (visit.transform("count") == 2)
    return two & (visit.transform("nunique") == 1)


def _two_sexes(table: pd.DataFrame) -> pd.Series:
    return table["sex"].groupby(table["patient_id"]).transform("nunique") > 1


def _ages_apart(table: pd.DataFrame) -> pd.Series:
    """Of one visit, more than a birthday apart; of unknown visits, more than a follow-up apart."""
    age = table["age"].groupby(_visit(table), dropna=False)
    apart = age.transform("max") - age.transform("min")
    return _true(apart > table["visit"].isna().map({True: AGE_SPREAD, False: AGE_SAME_VISIT}))


def _age_against_dates(table: pd.DataFrame) -> pd.Series:
    """Visits whose labels are dates: the age must grow as the years do, a year of rounding either way."""
    dated = table["visit"].str.fullmatch(_DATE).eq(True) & table["age"].notna()
    broken = pd.Series(False, index=table.index)
    dates = pd.to_datetime(table["visit"].where(dated), errors="coerce")
    rows = table[dated & dates.notna()].assign(date=dates)
    for _, visits in rows.groupby("patient_id"):
        if visits["date"].nunique() < 2:
            continue
        born = visits["date"].dt.year + (visits["date"].dt.dayofyear - 1) / 365.25 - visits["age"]
        if born.max() - born.min() > 1.0 + 2 * AGE_SAME_VISIT:
            broken[visits.index] = True
    return broken


def _insulin_without_diabetes(table: pd.DataFrame) -> pd.Series:
    return (table["insulin"] == 1.0) & (table["diabetes"] == 0.0)


def _visit(table: pd.DataFrame) -> list[pd.Series]:
    return [table["patient_id"], table["visit"]]


def _true(mask: pd.Series) -> pd.Series:
    """Of a comparison of nullable values, where it surely holds."""
    return mask.fillna(False).astype(bool)


_LOOK = "Look at these rows at the source and correct what is wrong; nothing is removed for it."
# Rule; what the sentence counts first, "rows" or "patients"; the sentence; what to do.
_RULES: dict[str, tuple[_Rule, str, str, str]] = {
    "flag_against_grade": (
        _flag_against_grade,
        "rows",
        "{n} [row has|rows have] a diabetic_retinopathy flag that contradicts [its|their] ICDR grade.",
        "Correct flag or grade. Training uses the grade; the note is written from the flag.",
    ),
    "grades_disagree": (
        _grades_disagree,
        "rows",
        "{n} [row has|rows have] an ICDR and an SDRG grade that cannot both be right (none on one scale only).",
        _LOOK,
    ),
    "eye_graded_twice": (
        _eye_graded_twice,
        "rows",
        "{n} [row|rows] of {patients} [gives|give] one eye of one visit different grades.",
        "Let a grader decide; if they are different visits, map the visit's column.",
    ),
    "eye_twice": (
        _eye_twice,
        "patients",
        "{n} [patient has|patients have] both photographs of a visit called the same eye, and none the other ({rows}).",
        "See whether one of them is the other eye; two photographs of one eye are fine as they are.",
    ),
    "two_sexes": (
        _two_sexes,
        "patients",
        "{n} [patient is|patients are] recorded with two sexes ({rows}).",
        _LOOK,
    ),
    "ages_apart": (
        _ages_apart,
        "patients",
        "{n} [patient has|patients have] ages too far apart for one visit, or for one patient ({rows}).",
        "See whether two patients share an id.",
    ),
    "age_against_dates": (
        _age_against_dates,
        "patients",
        "{n} [patient grows|patients grow] younger, or older than the years between their visits ({rows}).",
        "See whether two patients share an id, or a date or an age is wrong.",
    ),
    "duration_longer_than_age": (
        impossible_durations,
        "rows",
        "{n} [row says|rows say] that diabetes is older than the patient.",
        "Correct age or duration; the duration is treated as missing.",
    ),
    "insulin_without_diabetes": (
        _insulin_without_diabetes,
        "rows",
        "{n} [row records|rows record] insulin for a patient without diabetes.",
        _LOOK,
    ),
}
