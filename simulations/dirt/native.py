"""What a drawn data set has wrong before anything is planted, read from its own table.

The drawn BRSET carries BRSET's dirt (absent photographs, flags against grades, durations in words); found, it must
count as right, and nothing may be planted on top of it.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict

from PIL import Image

from simulations.dirt.site import Row, Site, eyes_of
from simulations.dirt.truth import Item

RETINOPATHY = "diabetic_retinopathy"


def note_native_dirt(site: Site) -> None:
    """Write the dirt of the untouched folder into its truth, and keep the patients who have it out of reach."""
    found: list[tuple[str, list[Row]]] = []
    for rows in site.patients().values():
        found += [("photograph_missing", [row]) for row in rows if not site.path(row).exists()]
        found += [("flag_against_grade", [row]) for row in rows if _flag_contradicts(row)]
        found += [("duration_longer_than_age", [row]) for row in rows if _lived_less(row)]
        found += [("number_unreadable", [row]) for row in rows if _years(row, "diabetes_time_y") is None]
        if any(count > 1 for count in eyes_of(rows).values()):
            site.truth.tolerated.setdefault("eye_twice", []).extend(row["image_id"] for row in rows)
        odd = [row for row in rows if row["optic_disc"] == "bv" or row["focus"] == "0"]
        site.truth.tolerated.setdefault("code_unknown", []).extend(row["image_id"] for row in odd)
        site.keep_out(row["patient_id"] for row in odd)
    site.truth.tolerated["identifier_in_header"] = [
        row["image_id"] for row in site.rows if _says_something(site, row)
    ]
    found += _identical(site)
    for kind, rows in found:
        records = tuple(row["image_id"] for row in rows)
        also = ("identical_across_patients",) if kind == "identical_conflicting_grades" else ()
        site.truth.items.append(Item(kind, "drawn", records, also=also, planted=False))
        site.keep_out(row["patient_id"] for row in rows)


def _flag_contradicts(row: Row) -> bool:
    flag, grade = row[RETINOPATHY], row["DR_ICDR"]
    return flag in ("0", "1") and grade.isdigit() and (int(grade) >= 1) != (flag == "1")


def _years(row: Row, column: str) -> float | None:
    """NaN for a blank cell, None for one that holds no number."""
    text = row[column].strip().replace(",", ".").replace("O", "0")
    try:
        return float(text or "nan")
    except ValueError:
        return None


def _lived_less(row: Row) -> bool:
    age, duration = _years(row, "patient_age"), _years(row, "diabetes_time_y")
    return age is not None and duration is not None and duration > age


def _says_something(site: Site, row: Row) -> bool:
    """Whether the photograph's file carries a text of its own: nobody here can say whom a real one means."""
    try:
        with Image.open(site.path(row)) as image:
            return bool(image.getexif()) or bool(bytes(image.info.get("comment", b"")).strip(b"\0 "))
    except OSError:
        return False


def _identical(site: Site) -> list[tuple[str, list[Row]]]:
    by_content: dict[bytes, list[Row]] = defaultdict(list)
    for row in site.rows:
        if site.path(row).exists():
            by_content[hashlib.sha256(site.path(row).read_bytes()).digest()].append(row)
    found = []
    for rows in by_content.values():
        if len(rows) > 1:
            same = len({row["patient_id"] for row in rows}) == 1
            conflict = len({row["DR_ICDR"] for row in rows}) > 1
            across = "identical_conflicting_grades" if conflict else "identical_across_patients"
            found.append(("identical_same_patient" if same else across, rows))
    return found
