"""Plants dirt in the table of labels: what is impossible, contradictory, unreadable or out of place in a row."""

from __future__ import annotations

from collections.abc import Callable

from simulations.dirt.native import RETINOPATHY
from simulations.dirt.site import RAW, Row, Site, eyes_of

AGES = ("210", "-3", "121", "1956", "999")
GRADES = ("7", "??", "5", "-1", "2.5", "two", "moderate NPDR")
CODES = (
    ("insuline", "talvez"),
    ("diabetes", "3"),
    ("macular_edema", "9"),
    ("patient_sex", "7"),
    ("exam_eye", "5"),
    ("drusens", "maybe"),
    ("hemorrhage", "2"),
)
NUMBERS = (("diabetes_time_y", "desde 1998"), ("patient_age", "fifty"), ("diabetes_time_y", "10-12"))


def plant_table_dirt(site: Site, count: int) -> None:
    """Plant `count` items of every kind that only the table can hold."""
    for plant in (
        _eye_graded_twice, _eye_twice, _two_sexes, _age, _duration, _grade, _ragged, _no_patient, _named_twice,
        _flag, _code, _number,
    ):  # fmt: skip
        plant(site, count)


def _age(site: Site, count: int) -> None:
    for k, row in enumerate(site.take_rows(count, lambda row: not row["diabetes_time_y"])):
        row["patient_age"] = AGES[k % len(AGES)]
        site.truth.add("age_out_of_range", row["patient_age"], row["image_id"])


def _duration(site: Site, count: int) -> None:
    """The whole patient gets the same age and duration, as one form is copied to every photograph."""
    for k, rows in enumerate(site.take(count)):
        age = 20 + 3 * (k % 15)
        for row in rows:
            row["patient_age"], row["diabetes_time_y"], row["diabetes"] = (
                str(age),
                str(age + 1 + k % 20),
                "yes",
            )
            site.truth.add("duration_longer_than_age", f"{1 + k % 20} years longer", row["image_id"])


def _grade(site: Site, count: int) -> None:
    for k, row in enumerate(site.take_rows(count)):
        row["DR_ICDR" if k % 3 else "DR_SDRG"] = GRADES[k % len(GRADES)]
        site.truth.add("grade_unreadable", GRADES[k % len(GRADES)], row["image_id"])


def _ragged(site: Site, count: int) -> None:
    """A list of comorbidities whose commas were not quoted, or a line cut short."""
    for k, row in enumerate(site.take_rows(count)):
        cells = [row[name] for name in site.header]
        if k % 2:
            row[RAW] = ",".join(cells[: 12 + k % 15])
        else:
            cells[site.header.index("comorbidities")] = "diabetes, hypertension, asthma"
            row[RAW] = ",".join(cells)
        site.truth.add("row_ragged", "cut short" if k % 2 else "comma too many", row["image_id"])
        # Its cells cannot be trusted, so that nobody can say whether it names its photograph.
        site.truth.tolerated.setdefault("photograph_without_row", []).append(site.path(row).name)


def _no_patient(site: Site, count: int) -> None:
    for k, row in enumerate(site.take_rows(count)):
        row["patient_id"] = ("", "  ", "NA", "-")[k % 4]
        site.keep_out([row["patient_id"]])
        site.truth.add("patient_missing", repr(row["patient_id"]), row["image_id"])


def _named_twice(site: Site, count: int) -> None:
    """The row again at the end of the table: word for word, or under another patient."""
    for k, row in enumerate(site.take_rows(count)):
        again = dict(row)
        if k % 2:
            other = site.take_rows(1)[0]
            again["patient_id"] = other["patient_id"]
        site.rows.append(again)
        site.truth.add("photograph_named_twice", "another patient" if k % 2 else "same row", row["image_id"])


def _flag(site: Site, count: int) -> None:
    for row in site.take_rows(count):
        row[RETINOPATHY] = "0" if row[RETINOPATHY] == "1" else "1"
        site.truth.add("flag_against_grade", f"flag {row[RETINOPATHY]}", row["image_id"])


def _eye_graded_twice(site: Site, count: int) -> None:
    """A second photograph of an eye already gets another grade than the first; flag and grade of each agree."""
    for k, rows in enumerate(site.take(count, _repeats_an_eye)):
        eye = next(code for code, number in eyes_of(rows).items() if number > 1)
        first, second = [row for row in rows if row["exam_eye"] == eye][:2]
        grade = (int(first["DR_ICDR"]) + 1 + k % 4) % 5
        second["DR_ICDR"] = second["DR_SDRG"] = str(grade)
        second[RETINOPATHY] = str(int(grade >= 1))
        site.truth.add(
            "eye_graded_twice", f"{first['DR_ICDR']} and {grade}", first["image_id"], second["image_id"]
        )


def _repeats_an_eye(rows: list[Row]) -> bool:
    return any(count > 1 for count in eyes_of(rows).values())


def _eye_twice(site: Site, count: int) -> None:
    """Both photographs of a patient, one of each eye, are called left, or both right."""
    both: Callable[[list[Row]], bool] = lambda rows: (  # noqa: E731
        len(rows) == 2 and len(eyes_of(rows)) == 2 and len({row["DR_ICDR"] for row in rows}) == 1
    )
    for k, rows in enumerate(site.take(count, both)):
        for row in rows:
            row["exam_eye"] = "1" if k % 4 == 3 else "2"
        site.truth.add("eye_twice", "right" if k % 4 == 3 else "left", *(row["image_id"] for row in rows))


def _two_sexes(site: Site, count: int) -> None:
    for rows in site.take(count, lambda rows: len(rows) > 1):
        rows[-1]["patient_sex"] = "2" if rows[-1]["patient_sex"] == "1" else "1"
        site.truth.add("two_sexes", "", *(row["image_id"] for row in rows))


def _code(site: Site, count: int) -> None:
    for k, row in enumerate(site.take_rows(count)):
        column, value = CODES[k % len(CODES)]
        row[column] = value
        site.truth.add("code_unknown", f"{column} {value}", row["image_id"])


def _number(site: Site, count: int) -> None:
    for k, row in enumerate(site.take_rows(count)):
        column, value = NUMBERS[k % len(NUMBERS)]
        row[column] = value
        site.truth.add("number_unreadable", f"{column} {value}", row["image_id"])
