"""Plants dirt in the photographs' files: absent, empty, cut, something else, damaged, copied byte by byte."""

from __future__ import annotations

from collections.abc import Callable

from simulations.dirt.site import Row, Site, eyes_of
from simulations.dirt.truth import Item

DEPTHS = (0.02, 0.3, 0.6, 0.8, 0.9, 0.95, 0.99)  # share of the file that is left
MASQUERADES = (
    ("text", b"The photograph of this patient was moved to the archive.\n" * 40),
    ("page", b"<!DOCTYPE html>\n<html><body><h1>404 Not Found</h1></body></html>\n" * 20),
    ("pdf", b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\n" + bytes(range(256)) * 20),
    ("zip", b"PK\x03\x04" + bytes(range(255, -1, -1)) * 20),
    ("lock file", b"\x0cAna Prado" + b" " * 44 + b"\x0c\x00A\x00n\x00a"),
)


def plant_file_dirt(site: Site, count: int) -> None:
    """Plant `count` items of every kind that spoils a file, and of every kind of identical copies."""
    _identical(site, count)
    _missing(site, count)
    _empty(site, count)
    _truncated(site, 2 * count)
    _masquerade(site, count)
    _damaged_header(site, count)
    _unclaimed(site, count)


def _missing(site: Site, count: int) -> None:
    for row in site.take_rows(count):
        site.path(row).unlink()
        site.truth.add("photograph_missing", "deleted", row["image_id"])


def _empty(site: Site, count: int) -> None:
    for row in site.take_rows(count):
        site.path(row).write_bytes(b"")
        site.truth.add("photograph_empty", "", row["image_id"])


def _truncated(site: Site, count: int) -> None:
    """Cut at a depth, or cut and filled up with zeros to its length, as an interrupted copy leaves it."""
    for k, row in enumerate(site.take_rows(count)):
        data = site.path(row).read_bytes()
        if k % 5 == 4:
            kept = _picture_from(data) + int(
                (0.3 + 0.6 * site.random.random()) * (len(data) - _picture_from(data))
            )
            site.path(row).write_bytes(data[:kept].ljust(len(data), b"\0"))
            sort = "filled with zeros"
        elif k % 5 == 3:
            site.path(row).write_bytes(data[: -int(site.random.integers(200, 2000))])
            sort = "a little short"
        else:
            depth = DEPTHS[k % len(DEPTHS)]
            site.path(row).write_bytes(data[: int(depth * len(data))])
            sort = f"depth {depth}"
        site.truth.add("photograph_truncated", sort, row["image_id"])


def _picture_from(jpeg: bytes) -> int:
    """Where the picture itself begins: after the last header, the start of scan."""
    return jpeg.rindex(b"\xff\xda")


def _masquerade(site: Site, count: int) -> None:
    for k, row in enumerate(site.take_rows(count)):
        sort, content = MASQUERADES[k % len(MASQUERADES)]
        site.path(row).write_bytes(content)
        site.truth.add("photograph_not_an_image", sort, row["image_id"])


def _damaged_header(site: Site, count: int) -> None:
    """The first bytes lost, the frame's header overwritten, or the quantisation tables turned to zeros."""
    for k, row in enumerate(site.take_rows(count)):
        data = bytearray(site.path(row).read_bytes())
        if k % 3 == 0:
            data[:16] = bytes(16)
            sort = "first bytes"
        elif k % 3 == 1:
            at = data.rindex(b"\xff\xc0") if b"\xff\xc0" in data else data.rindex(b"\xff\xc2")
            data[at : at + 19] = bytes(19)
            sort = "frame"
        else:
            at = data.index(b"\xff\xc4")
            data[at + 4 : at + 40] = b"\xff" * 36
            sort = "code tables"
        site.path(row).write_bytes(bytes(data))
        site.truth.add("photograph_header_damaged", sort, row["image_id"])


def _unclaimed(site: Site, count: int) -> None:
    """The row is lost, its photograph stays."""
    for row in site.take_rows(count):
        site.rows.remove(row)
        site.truth.items.append(Item("photograph_without_row", files=(site.path(row).name,)))


def _identical(site: Site, count: int) -> None:
    for row in site.take_rows(count):
        copy = site.another_photograph(row)
        site.path(copy).write_bytes(site.path(row).read_bytes())
        site.truth.add("identical_same_patient", "", row["image_id"], copy["image_id"])
        if max(eyes_of(site.patients()[row["patient_id"]]).values(), default=0) > 1:
            site.truth.tolerated.setdefault("eye_twice", []).extend((row["image_id"], copy["image_id"]))
    for conflict in (False, True):
        kind = "identical_conflicting_grades" if conflict else "identical_across_patients"
        # Retinopathy is rare: the first of a conflicting pair has it, so that nearly every other eye conflicts.
        graded: Callable[[Row], bool] = (
            (lambda row: row["DR_ICDR"] != "0") if conflict else (lambda row: True)
        )
        for first, second in site.take_pairs(count, _conflicting if conflict else alike, graded):
            site.path(second).write_bytes(site.path(first).read_bytes())
            grades = f"{first['DR_ICDR']} and {second['DR_ICDR']}" if conflict else ""
            also = ("identical_across_patients",) if conflict else ()
            site.truth.add(kind, grades, first["image_id"], second["image_id"], also=also)


def alike(first: Row, second: Row) -> bool:
    """Whether the two photographs could be one by all that the table says."""
    return all(first[name] == second[name] for name in ("exam_eye", "DR_ICDR", "DR_SDRG", "camera"))


def _conflicting(first: Row, second: Row) -> bool:
    return first["exam_eye"] == second["exam_eye"] and first["DR_ICDR"] != second["DR_ICDR"]
