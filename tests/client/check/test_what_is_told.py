"""What check tells beside its findings: notices, whose row a warning is about, what a policy keeps back."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from client.adapters import load
from client.check.check import CheckResult, run_check
from client.check.document import document
from client.check.finding_rows import read_findings
from client.check.photographs import photograph_findings
from client.check.report import render
from client.check.screen import counts, show
from client.rights.exclude import exclude
from client.site.config import SiteConfig
from client.site.contents import FOUND
from client.site.state import SiteState

Check = Callable[..., CheckResult]
Opened = Callable[..., tuple[SiteConfig, SiteState]]
WriteFolder = Callable[..., Path]


def test_the_adapters_notices_are_on_screen_in_json_and_on_the_page(
    write_folder: WriteFolder, check: Check
) -> None:
    rows: list[Mapping[str, str]] = [{"DR_ICDR": ""}, *({} for _ in range(9))]
    result = check(write_folder(rows))
    assert result.notices
    stream = io.StringIO()
    show(result, Console(file=stream, width=300))
    for notice in result.notices:
        assert notice in " ".join(stream.getvalue().split())
        assert notice in document(result)["notices"]
        assert notice in render(result)


def test_what_a_finding_says_is_not_said_again_in_a_notice(write_folder: WriteFolder, check: Check) -> None:
    rows: list[Mapping[str, str]] = [{} for _ in range(12)]
    rows[0] = {"patient_age": "210"}
    rows[1] = {"patient_age": "9", "diabetes_time_y": "30"}
    rows[2] = {"DR_ICDR": "9"}
    rows[3] = {"diabetic_retinopathy": "1"}
    folder = write_folder(rows)
    loaded, result = load(folder), check(folder)
    told = {"age_out_of_range", "duration_longer_than_age", "grade_unreadable", "flag_against_grade"}
    assert told <= {finding.kind for finding in result.findings}
    assert len(loaded.repeated) == 4
    assert set(loaded.repeated) <= set(loaded.notices)  # who has no findings is told all
    assert not set(loaded.repeated) & set(result.notices)


@pytest.fixture
def warned(write_folder: WriteFolder, open_site: Opened) -> tuple[SiteConfig, SiteState]:
    rows: list[Mapping[str, str]] = [{} for _ in range(12)]
    rows[3] = {"patient_id": "A", "patient_age": "210"}
    rows[4] = {"patient_id": "B", "DR_ICDR": "9"}
    folder = write_folder(rows)
    (folder / "fundus_photos" / "stray.jpg").write_bytes(b"of no row")
    (folder / "fundus_photos" / "img00010.jpg").write_bytes(b"")
    return open_site(folder)


def test_which_row_a_warning_is_about_is_kept_sealed_at_the_site(
    warned: tuple[SiteConfig, SiteState],
) -> None:
    config, state = warned
    run_check(config, state, estimate=False)
    table = pd.read_csv(io.StringIO(read_findings(state) or ""), dtype=str, keep_default_na=False)
    rows = {row[0]: row[1:] for row in table.itertuples(index=False, name=None)}
    assert list(table.columns) == ["kind", "line", "record", "patient"]
    assert rows["age_out_of_range"] == ("5", "img00004", "A")
    assert rows["grade_unreadable"] == ("6", "img00005", "B")
    assert rows["image_empty"] == ("11", "img00010", "10")
    assert rows["photograph_without_row"] == ("", "stray.jpg", "")
    assert b"img00004" not in state.path(FOUND).read_bytes()


def test_an_excluded_patient_is_taken_out_of_it(warned: tuple[SiteConfig, SiteState]) -> None:
    config, state = warned
    run_check(config, state, estimate=False)
    exclusion = exclude(state, "A")
    left = read_findings(state) or ""
    assert ",A\n" not in left
    assert ",B\n" in left
    assert any("of the findings" in removed for removed in exclusion.removed)


def test_no_check_has_no_rows(open_site: Opened, tmp_path: Path) -> None:
    assert read_findings(open_site(tmp_path)[1]) is None


def test_what_the_policy_keeps_back_is_not_counted(write_folder: WriteFolder, check: Check) -> None:
    folder = write_folder([{} for _ in range(12)])
    result = check(folder, '[policy]\nminimum_cell = 1\nshare = ["structured"]\n')
    assert result.summary is not None
    assert result.summary.modalities == ("photographs", "structured values")
    assert "0 with a note" in result.verdict.has
    said = next(finding for finding in result.findings if finding.kind == "no_notes")
    assert said.what == "The site's policy keeps notes back: it takes part without them."
    assert "12 with a note" in check(folder).verdict.has


def test_no_patient_to_validate_on_is_a_warning(write_folder: WriteFolder, check: Check) -> None:
    folder = write_folder([{} for _ in range(4)])
    (folder / "split.csv").write_text("patient_id,split\n1,train\n2,train\n3,train\n4,test\n")
    kinds = {finding.kind: finding.level for finding in check(folder).findings}
    assert kinds["no_validation_patients"] == "warning"


def test_what_every_dicom_file_holds_is_one_note_and_the_unusual_stays_a_warning() -> None:
    from client.adapters import Loaded, problem_table
    from client.check.measurement import Measurement
    from shared_model.records import build

    records = ["a", "b"]
    table = build({"record_id": records, "patient_id": records, "image_path": records})
    lines = {"a": 1, "b": 2}
    loaded = Loaded(table, problem_table([]), [], lines, source="DICOM files by path")
    usual = ("dicom.PatientBirthDate", "dicom.PatientID", "dicom.PatientName")
    measured = {
        "a": Measurement(problem="x", identifiers=(*usual, "dicom.PatientAddress")),
        "b": Measurement(
            problem="x", identifiers=(*usual, "dicom.AccessionNumber", "dicom.BurnedInAnnotation")
        ),
    }
    _, note, address, burned = photograph_findings(loaded, measured)
    assert (note.level, note.kind, note.count) == ("note", "identifier_in_dicom_header", 2)
    assert "AccessionNumber, PatientBirthDate, PatientID, PatientName" in note.what
    assert (address.level, address.lines or address.where) == ("warning", "DICOM files by path: line 1")
    assert "1 photograph holds identifiers in its header (dicom.PatientAddress)" in address.what
    assert "pixels show text" in burned.what
    assert "never used" not in note.what + burned.what


@pytest.mark.parametrize("count", [1, 2])
def test_no_sentence_says_one_and_means_many(write_folder: WriteFolder, check: Check, count: int) -> None:
    rows: list[Mapping[str, str]] = [{} for _ in range(12)]
    for number in range(count):
        rows[number] = {
            "patient_age": "210",
            "insuline": "yes",
            "diabetes": "no",
            "diabetic_retinopathy": "1",
        }
        rows[number + 3] = {"DR_ICDR": "9"}
    folder = write_folder(rows)
    for number in range(count):
        (folder / "fundus_photos" / f"img{number + 9:05d}.jpg").write_bytes(b"")
    result = check(folder)
    assert result.summary is not None
    said = [finding.what for finding in result.findings] + list(result.verdict.lines)
    said += [text for _, text in counts(result.summary)]
    for text in said:
        assert not re.search(r"\b1 (rows|photographs|patients|values|groups|records|notes)\b|\(s\)", text), (
            text
        )
        assert not re.search(r"\b1 of 12 rows are\b|\bof which 1 are\b", text), text
