"""What holds of every adapter: nothing is lost, whatever the table holds, and one more takes one file."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import client.adapters
from client.adapters import Loaded, adapters, load
from client.adapters.delimited import read_table
from shared_model.errors import ConfigError, FedFundusError
from shared_model.records import COLUMNS

NAMES = ("1", "2", "3", "4")
TABLE = {
    "file": "export.csv",
    "images": "images",
    "columns": {
        "image": "file",
        "patient": "patient",
        "icdr": "final_icdr",
        "age": "age",
        "exam_date": "dm_time",
    },
}
WIDE = {
    "file": "export.csv",
    "images": "images",
    "columns": {"patient": "patient", "age": "age", "sex": "sex", "split": "laterality"},
    "eyes": [{"eye": "right", "image": "file", "icdr": "final_icdr"}, {"eye": "left", "image": "insulin"}],
}
# Adapter, its options, its table, and the header of it.
SOURCES: Mapping[str, tuple[str, Mapping[str, Any], str, str, tuple[str, ...]]] = {
    "brset": (
        "brset",
        {},
        "labels.csv",
        "fundus_photos",
        ("image_id", "patient_id", "DR_ICDR", "patient_age", "scar"),
    ),
    "mbrset": (
        "mbrset",
        {},
        "labels_mbrset.csv",
        "images",
        ("file", "patient", "final_icdr", "age", "sex", "laterality"),
    ),
    "table": ("table", TABLE, "export.csv", "images", ("file", "patient", "final_icdr", "age", "dm_time")),
    "wide": (
        "table",
        WIDE,
        "export.csv",
        "images",
        ("file", "patient", "final_icdr", "age", "sex", "laterality", "insulin"),
    ),
}

CELL = st.one_of(
    st.sampled_from(
        [
            "",
            "1",
            "2",
            "3.jpg",
            "0",
            "4.0",
            "7",
            "-1",
            "57,5",
            "1O",
            "yes",
            "NA",
            "left",
            "2020-01-31",
            "train",
        ]
    ),
    st.sampled_from(
        ["../1", "..\\..\\2.jpg", "/etc/passwd", "\x00", "\u202e", "1e999", "٣", "'; drop", "=1+1", "é" * 300]
    ),
    st.text(st.characters(blacklist_categories=("Cs",)), max_size=10),
)
ROWS = st.lists(st.lists(CELL, min_size=1, max_size=9), min_size=1, max_size=8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for kind in ("images", "fundus_photos"):
        (tmp_path / kind).mkdir()
        for name in NAMES:
            Image.new("RGB", (8, 8)).save(tmp_path / kind / f"{name}.jpg")
    return tmp_path


@pytest.mark.parametrize("source", SOURCES)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_every_row_is_a_record_or_in_the_quarantine(folder: Path, source: str, rows: list[list[str]]) -> None:
    adapter, options, table, images, header = SOURCES[source]
    with (folder / table).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerow(["1", "p1", "0", *[""] * (len(header) - 3)])  # one row that can be used
        writer.writerows(rows)
    try:
        loaded = load(folder, adapter, options=options)
    except FedFundusError:
        return
    lines = {row.line for row in read_table(folder / table).rows}
    assert set(loaded.lines.values()) | set(loaded.quarantine["row"]) == lines
    assert list(loaded.table.columns) == list(COLUMNS)
    assert set(loaded.lines) == set(loaded.table["record_id"])
    assert all(Path(path).parent == folder / images for path in loaded.table["image_path"])


@pytest.mark.parametrize("source", SOURCES)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    damage=st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=3)), max_size=6),
    cut=st.integers(0, 80),
)
def test_a_damaged_table_is_read_or_refused(
    folder: Path, source: str, damage: list[tuple[int, bytes]], cut: int
) -> None:
    adapter, options, table, _, header = SOURCES[source]
    rows = [",".join(header), *(",".join([name, "p", "1", *["2"] * (len(header) - 3)]) for name in NAMES)]
    content = "\n".join(rows).encode()
    for place, piece in damage:
        content = content[:place] + piece + content[place + len(piece) :]
    (folder / table).write_bytes(content[: len(content) - cut] if cut < len(content) else b"")
    try:
        loaded = load(folder, adapter, options=options)
    except FedFundusError:
        return
    assert isinstance(loaded, Loaded)


SIXTH = '''
"""A clinic that writes one text file with a photograph and a grade in every line."""

from client.adapters import Loaded, Source
from client.adapters.photographs import Photographs
from client.adapters.reading import Reading

TABLE = "grades.txt"


def read(source: Source) -> Loaded:
    reading = Reading(TABLE, Photographs(source.folder, source.options.get("images", "images")))
    lines = (source.folder / TABLE).read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        image, _, grade = line.partition(" ")
        problems = []
        path = reading.photograph("photograph", image, problems)
        icdr = reading.grade("grade", grade, problems)
        if problems:
            reading.refuse(number, image, *problems)
        else:
            named = {"record_id": image, "patient_id": image.partition("_")[0], "image_path": path}
            reading.add(number, {**named, "icdr": icdr, "note": None})
    return reading.loaded(source.folder, [], len(lines), hint="Check grades.txt.")
'''


@pytest.fixture
def sixth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One more file where the adapters are: a folder added to the package's path."""
    package = tmp_path / "more"
    package.mkdir()
    (package / "clinic.py").write_text(SIXTH, encoding="utf-8")
    monkeypatch.setattr(client.adapters, "__path__", [*client.adapters.__path__, str(package)])
    yield
    sys.modules.pop("client.adapters.clinic", None)
    vars(client.adapters).pop("clinic", None)


@pytest.mark.usefixtures("sixth")
def test_one_more_adapter_takes_one_file(folder: Path) -> None:
    assert "clinic" in adapters()
    (folder / "grades.txt").write_text("1 0\n2 4\n3 nine\n9 0\n", encoding="utf-8")
    loaded = load(folder, "clinic", options={"images": "images"})
    assert loaded.table["icdr"].tolist() == [0, 4]
    assert loaded.table["masked_note"].isna().all()
    assert loaded.quarantine["row"].tolist() == [3, 4]
    assert loaded.unclaimed == (str(folder / "images" / "4.jpg"),)


def test_the_adapters_there_are(folder: Path) -> None:
    assert {"brset", "mbrset", "deepeyenet", "table"} <= set(adapters())
    assert "clinic" not in adapters()
    with pytest.raises(ConfigError, match="no adapter called 'clinic'"):
        load(folder, "clinic")
