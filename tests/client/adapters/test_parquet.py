from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from client.adapters import load, parquet
from client.adapters.parquet import read_parquet
from client.adapters.quoting import TOO_LONG
from shared_model.errors import DataError, FedFundusError

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(columns: dict[str, Any], name: str = "export.parquet", **how: Any) -> Path:
        pq.write_table(pa.table(columns), tmp_path / name, **how)
        return tmp_path / name

    return make


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (pa.array([1, None, 3]), ["1", "", "3"]),
        (pa.array([1.0, None, 2.5]), ["1", "", "2.5"]),
        (pa.array([True, False, None]), ["true", "false", ""]),
        (pa.array(["a", "", None]), ["a", "", ""]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
        (pa.array([date(2020, 1, 31), None]), ["2020-01-31T00:00:00", ""]),
        (pa.array([datetime(2020, 1, 31, 8, 30)]), ["2020-01-31T08:30:00.000000"]),
        (pa.array([Decimal("2.50")]), ["2.50"]),
        (pa.array([2**62], pa.timestamp("us")), None),  # no year that Python knows
        (pa.array([None, None], pa.null()), ["", ""]),
    ],
)
def test_typed_values_become_the_text_a_csv_would_hold(
    write: Write, values: pa.Array, texts: list[str] | None
) -> None:
    table = read_parquet(write({"X": values}), {"x"})
    assert table.columns == ("x",)
    assert [row.line for row in table.rows] == list(range(1, len(values) + 1))
    if texts is not None:
        assert [row.cells["x"] for row in table.rows] == texts


def test_a_moment_with_a_time_zone_keeps_its_own_date(write: Write) -> None:
    late = pa.array([datetime(2020, 1, 31, 1, 0, tzinfo=UTC)], pa.timestamp("us", tz="America/Sao_Paulo"))
    (row,) = read_parquet(write({"X": late}), {"x"}).rows
    assert row.cells["x"].startswith("2020-01-30T22:00")


def test_only_mapped_columns_are_read_but_all_are_named(write: Write) -> None:
    path = write({" A.b ": pa.array(["x"]), "Blob": pa.array([b"\x00"]), "List": pa.array([[1]])})
    table = read_parquet(path, {"a.b"})
    assert table.columns == ("a.b", "blob", "list")
    assert table.rows[0].cells == {"a.b": "x"}


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (pa.array([[1]]), "lists or structures"),
        (pa.array([{"a": 1}]), "lists or structures"),
        (pa.array([b"a"]), "bytes"),
    ],
)
def test_nested_values_and_bytes_are_refused_by_name(write: Write, values: pa.Array, says: str) -> None:
    with pytest.raises(DataError, match=says):
        read_parquet(write({"X": values}), {"x"})


def test_a_table_is_read_through_its_mapping(tmp_path: Path, write: Write) -> None:
    for name in ("1.jpg", "2.jpg"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    columns = {
        "Image": ["1", "2", "9"],
        "G": pa.array([1.0, None, 2.0]),
        "Born": pa.array([date(1960, 1, 1), None, None]),
        "Seen": pa.array([datetime(2020, 6, 1)] * 3),
        "Insulin": pa.array([True, False, None]),
    }
    write(columns)
    mapped = {"image": "Image", "icdr": "G", "birth_date": "Born", "exam_date": "Seen", "insulin": "Insulin"}
    options = {"file": "export.parquet", "columns": mapped, "date_formats": ["%d/%m/%Y"]}
    loaded = load(tmp_path, "table", options=options)
    assert loaded.table["age"].tolist()[0] == 60.0
    assert loaded.table["insulin"].tolist() == [1.0, 0.0]
    assert loaded.table["icdr"].isna().tolist() == [False, True]
    assert loaded.quarantine[["row", "reason"]].to_numpy().tolist() == [[3, "the photograph is absent"]]
    assert list(loaded.lines.values()) == [1, 2]
    assert loaded.unread.empty


def test_a_small_file_that_unpacks_to_much_is_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write({"X": ["a" * 500 + str(n) for n in range(5_000)]}, use_dictionary=False, compression="zstd")
    assert path.stat().st_size < 50_000
    monkeypatch.setattr(parquet, "MAX_BYTES", 500_000)
    with pytest.raises(DataError, match="implausibly large"):
        read_parquet(path, {"x"})


def test_a_long_text_in_every_row_is_kept_once(write: Write) -> None:
    path = write({"X": ["a" * 50_000] * 1_000})  # 50 MB, were each row to have its own
    rows = read_parquet(path, {"x"}).rows
    assert len({id(row.cells["x"]) for row in rows}) < 10


def test_a_long_note_is_read(write: Write) -> None:
    (row,) = read_parquet(write({"X": ["á" * 200_000]}), {"x"}).rows
    assert (row.cells["x"], row.problem) == ("á" * 200_000, "")


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_a_note_beyond_the_bound_costs_its_row(
    write: Write, monkeypatch: pytest.MonkeyPatch, kind: pa.DataType
) -> None:
    monkeypatch.setattr(parquet, "MAX_CELL", 20)
    path = write({"X": pa.array(["á" * 20, "a" * 21, None, "b"]).cast(kind), "Y": [1, 2, 3, 4]})
    rows = read_parquet(path, {"x", "y"}).rows
    assert [(row.cells["x"], row.problem) for row in rows] == [
        ("á" * 20, ""),
        ("", TOO_LONG),
        ("", ""),
        ("b", ""),
    ]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" * 5, b"PAR1" + b"\xff" * 64 + b"PAR1"])
def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.parquet").write_bytes(content)
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        read_parquet(tmp_path / "x.parquet", {"x"})


@pytest.mark.parametrize("seed", [pytest.param(s, marks=[pytest.mark.slow] if s else []) for s in range(10)])
def test_damaged_files_are_read_or_refused(write: Write, seed: int) -> None:
    path = write({"X": [f"text {n}" for n in range(50)], "Y": list(range(50))})
    whole, chance = path.read_bytes(), random.Random(seed)
    for _ in range(5):
        damaged = bytearray(whole[: chance.randint(1, len(whole))] if chance.random() < 0.3 else whole)
        for _ in range(chance.randint(1, 8)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        path.write_bytes(damaged)
        with contextlib.suppress(FedFundusError):
            read_parquet(path, {"x", "y"})


def test_a_reading_process_that_dies_or_hangs_is_a_table_that_cannot_be_read(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write({"X": ["a"]})
    reader = tmp_path / "reader.py"
    monkeypatch.setattr(parquet, "_READER", reader)
    monkeypatch.setattr(parquet, "SECONDS", 2.0)
    for script in (
        "import os; os.abort()",
        'print(\'{"columns": ["x"]}\')',  # ends in the middle
        "print('not JSON')",
        "import time; time.sleep(600)",
    ):
        reader.write_text(script, encoding="utf-8")
        with pytest.raises(DataError, match="cannot be read as Parquet"):
            read_parquet(path, {"x"})


@pytest.mark.parametrize("which", [[5], [], ["x"]])
def test_an_answer_that_does_not_fit_together_is_a_table_that_cannot_be_read(
    which: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [{"columns": ["a"], "rows": 1, "cells": {"a": (["x"], which)}}, {}]
    monkeypatch.setattr(parquet, "_answers", lambda path, request: iter(answers))
    with pytest.raises(DataError, match="cannot be read"):
        parquet.read_parquet(tmp_path / "visits.parquet", ["a"])
