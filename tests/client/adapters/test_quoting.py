from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.adapters import load, quoting
from client.adapters.delimited import read_table
from client.adapters.quoting import MAX_CELL, TOO_LONG, UNCLOSED, Record, records
from shared_model.errors import DataError

WriteFolder = Callable[..., Path]

SIMPLE = st.text("abc0 .é'", min_size=1, max_size=5).map(str.strip).filter(bool)
QUOTED = st.lists(st.sampled_from(["a", " b", ",", "\n", '"']), min_size=1, max_size=8).map("".join)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])


def written(rows: Sequence[Sequence[str]], end: str = "\n", delimiter: str = ",") -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end, delimiter=delimiter).writerows(rows)
    return text.getvalue()


@st.composite
def tables(draw: st.DrawFn, cell: st.SearchStrategy[str] = SIMPLE) -> list[list[str]]:
    """A header and rows of as many cells, the first of which is the number of its row."""
    width = draw(st.integers(2, 5))
    rows = draw(st.lists(st.lists(cell, min_size=width - 1, max_size=width - 1), min_size=2, max_size=8))
    return [
        ["id", *(f"c{n}" for n in range(1, width))],
        *([f"r{n}", *row] for n, row in enumerate(rows)),
    ]


@settings(deadline=None)
@given(table=tables(), end=ENDS, place=st.integers(min_value=0))
def test_a_stray_mark_costs_its_own_row_and_every_line_is_accounted_for(
    table: list[list[str]], end: str, place: int
) -> None:
    text = written(table, end)
    first = len(written(table[:1], end))
    place = first + place % (len(text) - first + 1)
    place += text[place - 1 : place + 1] == "\r\n"  # between the two it makes a line of its own
    struck = min(text[:place].replace("\r\n", "\n").replace("\r", "\n").count("\n"), len(table))
    found = list(records(text[:place] + '"' + text[place:], ","))
    assert [record.line for record in found] == list(range(1, len(found) + 1))  # none swallowed another
    assert len(found) - len(table) in (0, 1)  # a mark behind the last line is a line
    for number, row in enumerate(table):
        if number != struck:
            assert found[number] == Record(number + 1, row)


@settings(deadline=None, max_examples=300)
@given(table=tables(st.one_of(SIMPLE, SIMPLE, QUOTED)), end=st.sampled_from(["\n", "\r\n"]), data=st.data())
def test_among_quoted_cells_a_stray_mark_costs_no_row_without_marks(
    table: list[list[str]], end: str, data: st.DataObject
) -> None:
    if any("\n" in cell for row in table for cell in row):
        table = [[cell.replace("\n", " ") for cell in row] for row in table]
    lines = [written([row], end) for row in table]
    struck = data.draw(st.integers(1, len(lines) - 1))
    place = data.draw(st.integers(0, len(lines[struck].rstrip())))
    lines[struck] = lines[struck][:place] + '"' + lines[struck][place:]
    found = {record.line: record for record in records("".join(lines), ",")}
    for number, row in enumerate(table):
        if number != struck and '"' not in lines[number]:
            assert found[number + 1] == Record(number + 1, row)


@settings(deadline=None)
@given(
    table=tables(
        st.one_of(SIMPLE, st.lists(st.sampled_from(["ok", "a b", ", ", "\n", '"']), min_size=1).map("".join))
    )
)
def test_prose_of_several_lines_stays_whole(table: list[list[str]]) -> None:
    found = list(records(written(table, "\r\n"), ","))
    assert [record.cells for record in found] == table
    assert not any(record.problem for record in found)


def test_without_another_mark_in_the_table_the_reason_is_that_it_is_not_closed() -> None:
    lines = ["id,a", *(f"{n},x" for n in range(157))]
    lines[50] = '"' + lines[50]
    found = list(records("\n".join(lines), ","))
    assert [record for record in found if record.problem] == [Record(51, ["49", "x"], UNCLOSED)]
    assert len(found) == 158


def test_an_unclosed_mark_before_one_line_of_a_long_table_costs_that_line(write_folder: WriteFolder) -> None:
    folder = write_folder([{}] * 157)
    path = folder / "labels_brset.csv"
    lines = path.read_text().split("\n")
    lines[50] = '"' + lines[50]
    path.write_text("\n".join(lines))
    loaded = load(folder)
    assert len(loaded.table) == 156
    assert loaded.quarantine["row"].tolist() == [51]
    assert "quotation mark" in loaded.quarantine["reason"].item()
    assert any("1 of 157 rows" in said for said in loaded.notices)


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        (
            'a,b,c\n1,"Drusen,\nno edema, ok\n\nReview, soon",x\n2,y,z\n',
            [["1", "Drusen,\nno edema, ok\n\nReview, soon", "x"]],
        ),
        ('"a\nb",c\n1,"two\nlines"\n', [["1", "two\nlines"]]),
        ('a,b\n1,"said ""yes""\nand left"\n', [["1", 'said "yes"\nand left']]),
        ('a;b\r\n1;"AV 0,5; OE\r\n0,3"\r\n', [["1", "AV 0,5; OE\r\n0,3"]]),
    ],
)
def test_a_quoted_cell_may_span_lines(text: str, cells: list[list[str]]) -> None:
    delimiter = ";" if ";" in text else ","
    _, *found = records(text, delimiter)
    assert [record.cells for record in found][: len(cells)] == cells
    assert not any(record.problem for record in found)


def test_two_stray_marks_do_not_hide_the_rows_between_them() -> None:
    rows = [f"{n},x{n},y{n}\n" for n in range(100)]
    rows[10], rows[90] = '10,"x10,y10\n', '90,x90",y90\n'
    found = list(records("a,b,c\n" + "".join(rows), ","))
    assert len(found) == 101
    assert [record.line for record in found if record.problem] == [12]


def test_an_unclosed_mark_in_the_header_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text('"maria,b\n1,2\n')
    with pytest.raises(DataError, match="quotation mark") as caught:
        read_table(tmp_path / "x.csv")
    assert "line 1" in caught.value.where
    assert "maria" not in str(caught.value)


@pytest.mark.parametrize("line", ['x",",\n', '"a,\n', 'a,"\n', '"",""",b\n', '"\n'])
def test_a_file_of_nothing_but_stray_marks_is_read_in_time(line: str) -> None:
    began = time.perf_counter()
    assert len(list(records("a,b,c\n" + line * 20_000, ","))) > 10_000
    assert time.perf_counter() - began < 10


@pytest.mark.parametrize("note", ["a" * 150_000, "two words " * 100_000, "a line\n" * 150_000])
def test_a_long_note_is_read(note: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(written([["a", "note"], ["1", note], ["2", "b"]]))
    assert [row.cells["note"] for row in read_table(tmp_path / "x.csv").rows] == [note, "b"]


@pytest.mark.parametrize("note", ["a" * 30, "a, b " * 7, "a line\n" * 5, 'a"' * 20])
def test_a_note_beyond_the_bound_costs_its_row(note: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quoting, "MAX_CELL", 24)
    monkeypatch.setattr(quoting, "_LONGEST", 1000)
    found = list(records(written([["id", "note"], ["1", note], ["2", "b"]]), ","))
    assert [(record.cells, record.problem) for record in found[1:]] == [
        (["1", ""], TOO_LONG),
        (["2", "b"], ""),
    ]


def test_a_cell_of_the_bound_is_read_and_one_more_letter_is_not(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(f"a,b\n1,{'a' * MAX_CELL}\n2,{'a' * (MAX_CELL + 1)}\n3,c\n")
    assert [row.problem for row in read_table(tmp_path / "x.csv").rows] == ["", TOO_LONG, ""]


@settings(deadline=None)
@given(st.text('ab,;"\n\r\t ', max_size=60), st.sampled_from(",;\t"))
def test_every_line_that_is_not_blank_is_part_of_a_record(text: str, delimiter: str) -> None:
    found = list(records(text, delimiter))
    kept = {record.line for record in found}
    if text:
        assert min(kept) == 1
    held = "".join(cell for record in found for cell in record.cells)
    assert [c for c in text if c in "ab"] == [c for c in held if c in "ab"]
