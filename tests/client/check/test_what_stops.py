"""Data of which nothing can be used: what is said, what is kept, and what is cleared away."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from client.check.check import CheckResult, run_check
from client.check.document import document
from client.check.finding import place_in
from client.check.finding_rows import read_findings
from client.check.report import render
from client.check.screen import show
from client.rights.exclude import exclude
from client.site.config import SiteConfig
from client.site.contents import FOUND, MEASUREMENTS, QUARANTINE
from client.site.state import SiteState

Opened = Callable[..., tuple[SiteConfig, SiteState]]
WriteFolder = Callable[..., Path]


def screen(result: CheckResult) -> str:
    stream = io.StringIO()
    show(result, Console(file=stream, width=300))
    return stream.getvalue()


def no_grades(write_folder: WriteFolder, count: int = 12) -> Path:
    rows: list[Mapping[str, str]] = [{"DR_ICDR": "seven"} for _ in range(count)]
    return write_folder(rows)


def test_where_no_row_can_be_used_the_reasons_are_findings_and_the_quarantine_is_written(
    write_folder: WriteFolder, open_site: Opened
) -> None:
    config, state = open_site(no_grades(write_folder))
    state.write(QUARANTINE, b"the last check's")
    result = run_check(config, state)
    assert result.exit_code == 2
    assert result.verdict.join == "Cannot join: none of the 12 rows can be used."
    assert result.verdict.first.startswith("Fix first: 12 rows have a grade that is none of 0 to 4")
    assert "Correct the grade" in result.verdict.first
    stop = document(result)["findings"][0]
    assert stop["level"] == "blocks"
    assert stop["where"].startswith("labels_brset.csv: column dr_icdr, lines 2, 3")
    assert "Correct the grade" in stop["fix"]
    assert "Correct the grade" in render(result)
    rows = pd.read_csv(io.BytesIO(state.read(QUARANTINE) or b""), dtype=str)
    assert len(rows) == 12
    assert result.estimate is None
    assert {finding.kind for finding in result.findings} == {"no_usable_row", "grade_unreadable"}


def test_one_row_is_spoken_of_as_one(write_folder: WriteFolder, open_site: Opened) -> None:
    result = run_check(*open_site(no_grades(write_folder, 1)))
    assert result.verdict.join == "Cannot join: the one row there is cannot be used."
    assert "1, of which 1 is set aside" in screen(result)


def test_where_no_photograph_can_be_read_the_site_is_told_so(
    write_folder: WriteFolder, open_site: Opened
) -> None:
    folder = write_folder([{} for _ in range(3)])
    for path in (folder / "fundus_photos").iterdir():
        path.write_bytes(b"")
    result = run_check(*open_site(folder))
    assert result.verdict.join == "Cannot join: none of the 3 rows can be used."
    assert "3 photographs cannot be read" in result.verdict.first


def test_where_all_patients_are_excluded_nothing_else_is_blamed(
    write_folder: WriteFolder, open_site: Opened
) -> None:
    config, state = open_site(write_folder([{"patient_id": "3"} for _ in range(3)]))
    exclude(state, "3")
    result = run_check(config, state)
    assert result.verdict.join == "Cannot join: no record of a patient who may be used is left."
    assert "not excluded" in result.verdict.first


def test_where_there_is_no_table_what_to_do_is_said_everywhere_and_old_rows_are_cleared(
    tmp_path: Path, open_site: Opened
) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    config, state = open_site(folder)
    for name in (QUARANTINE, FOUND):
        state.write(name, b"the last check's")
    result = run_check(config, state)
    assert state.read(QUARANTINE) is None
    assert read_findings(state) is None
    for text in (json.dumps(document(result), ensure_ascii=False), render(result), screen(result)):
        assert "Put BRSET" in text
        assert "below the verdict" not in text
        assert "removed from the quarantine" in " ".join(text.split())
    assert str(folder) in screen(result).replace("\n", "")
    assert str(folder) not in json.dumps(document(result)) + render(result)


@pytest.mark.parametrize(
    ("where", "place"),
    [
        ("/data/ours/labels.csv, line 7: Ana, Maria", "labels.csv, line 7"),
        ("/data/ours/split.csv: 'Ana'", "split.csv"),
        ("/data/ours/Ana Maria/1.csv", "the data folder"),
        ("/data/ours/ana.jpg", "the data folder"),
        ("/data/ours", "the data folder"),
    ],
)
def test_only_a_table_and_its_line_are_repeated_of_a_place(where: str, place: str) -> None:
    assert place_in(Path("/data/ours"), where) == place


def test_damaged_measurements_are_made_again_and_it_is_said(
    write_folder: WriteFolder, open_site: Opened
) -> None:
    config, state = open_site(write_folder([{} for _ in range(3)]))
    run_check(config, state, estimate=False)
    whole = state.path(MEASUREMENTS).read_bytes()
    state.path(MEASUREMENTS).write_bytes(whole[:60] + bytes([whole[60] ^ 1]) + whole[61:])
    result = run_check(config, state, estimate=False)
    assert result.summary is not None
    assert result.summary.photographs == 3
    assert any("measured again" in notice for notice in result.notices)
    again = run_check(config, state, estimate=False)
    assert not any("measured again" in notice for notice in again.notices)
