from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console

from client.check import check as checking
from client.check.check import CheckResult, run_check
from client.check.document import SCHEMA, document
from client.check.report import render
from client.check.screen import WIDTH, show
from client.rights.exclude import exclude
from client.site.config import SiteConfig
from client.site.state import SiteState

Check = Callable[..., CheckResult]
Opened = Callable[..., tuple[SiteConfig, SiteState]]
WriteFolder = Callable[..., Path]

NAMES = ("Ana Beatriz", "img00003", "patient-7", "1961-02-03")


@pytest.fixture
def clean(write_folder: WriteFolder) -> Path:
    """Twenty patients with one photograph each, on fixed sides, since a salt may leave nobody to test on."""
    return on_sides(write_folder([{} for _ in range(20)]))


def on_sides(folder: Path) -> Path:
    """The folder with fixed sides, and with photographs of which no two happen to be the same."""
    for number, path in enumerate(sorted((folder / "fundus_photos").iterdir())):
        noise = np.random.default_rng(number).integers(0, 255, (24, 32, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path)
    sides = ["train"] * 14 + ["validation"] * 3 + ["test"] * 3
    rows = "".join(f"{number},{side}\n" for number, side in enumerate(sides, start=1))
    (folder / "split.csv").write_text("patient_id,split\n" + rows)
    return folder


@pytest.fixture
def small_lights(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's photographs are coloured discs, which are no retina and all alike: judgements stay out of it."""
    monkeypatch.setattr(checking, "near", lambda *_: [])
    monkeypatch.setattr("client.check.photographs.judge", lambda _: None)


def kinds(result: CheckResult) -> set[str]:
    return {finding.kind for finding in result.findings}


def found(result: CheckResult, kind: str) -> checking.Finding:
    return next(finding for finding in result.findings if finding.kind == kind)


@pytest.mark.usefixtures("small_lights")
def test_a_clean_site_is_ready(clean: Path, check: Check) -> None:
    result = check(clean)
    assert not [finding.what for finding in result.findings if finding.level != "note"]
    assert result.exit_code == 0
    assert result.verdict.join == "Can join."
    assert "20 photographs of 20 patients" in result.verdict.has
    assert result.verdict.first == "Nothing needs fixing."


@pytest.mark.usefixtures("small_lights")
def test_a_site_with_bad_rows_joins_with_the_others(write_folder: WriteFolder, check: Check) -> None:
    rows: list[Mapping[str, str]] = [{} for _ in range(40)]
    rows[6] = {"DR_ICDR": "7"}
    folder = write_folder(rows)
    (folder / "fundus_photos" / "img00012.jpg").write_bytes(b"")
    (folder / "fundus_photos" / "img00020.jpg").unlink()
    result = check(folder)
    assert result.exit_code == 1
    assert "3 of 40 rows are set aside, the other 37 are used" in result.verdict.join
    assert {"grade_unreadable", "image_empty", "photograph_missing"} <= kinds(result)
    assert found(result, "image_empty").lines == (13,)
    assert found(result, "grade_unreadable").where == "labels_brset.csv: column dr_icdr, line 8"


@pytest.mark.usefixtures("small_lights")
def test_the_quarantine_names_line_and_reason_and_is_sealed(
    write_folder: WriteFolder, open_site: Opened
) -> None:
    folder = write_folder([{} for _ in range(12)])
    (folder / "fundus_photos" / "img00003.jpg").write_bytes(b"no photograph")
    (folder / "fundus_photos" / "stray.jpg").write_bytes(b"of no row")
    config, state = open_site(folder)
    run_check(config, state, estimate=False)
    content = state.read("quarantine.csv")
    assert content is not None
    rows = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    assert rows.loc[0, ["line", "record", "patient"]].tolist() == ["4", "img00003", "3"]
    assert "not an image" in rows.loc[0, "reason"]
    assert rows.loc[1, "record"] == "stray.jpg"
    sealed = state.path("quarantine.csv").read_bytes()
    assert b"img00003" not in sealed
    assert state.path("quarantine.csv").stat().st_mode & 0o777 == 0o600


@pytest.mark.usefixtures("small_lights")
def test_an_interrupted_check_goes_on_where_it_stopped(
    clean: Path, open_site: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, state = open_site(clean)

    def stop(what: str, done: int, total: int) -> None:
        if done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_check(config, state, progress=stop, estimate=False)
    started: list[int] = []
    run_check(config, state, progress=lambda what, done, total: started.append(done), estimate=False)
    assert started[0] == 20


@pytest.mark.usefixtures("small_lights")
def test_excluded_patients_are_counted_nowhere(write_folder: WriteFolder, open_site: Opened) -> None:
    rows: list[Mapping[str, str]] = [{} for _ in range(20)]
    rows[3] = {"patient_id": "3", "DR_ICDR": "9", "patient_age": "210"}
    config, state = open_site(on_sides(write_folder(rows)))
    exclude(state, "3")
    result = run_check(config, state, estimate=False)
    assert result.summary is not None
    assert (result.summary.patients, result.summary.excluded) == (18, 1)
    assert kinds(result) == set()
    assert (state.read("quarantine.csv") or b"").count(b"\n") == 1


def test_data_that_cannot_be_opened_cannot_join(tmp_path: Path, check: Check) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    result = check(folder)
    assert result.exit_code == 2
    assert result.verdict.join.startswith("Cannot join: There is no table of labels")
    assert str(tmp_path) not in json.dumps(document(result))
    assert str(tmp_path) not in render(result)


@pytest.mark.usefixtures("small_lights")
def test_fewer_training_patients_than_the_policy_names_cannot_join(clean: Path, check: Check) -> None:
    result = check(clean, "[policy]\nminimum_cell = 30\n")
    assert result.exit_code == 2
    assert "fewer than 30" in result.verdict.join


@pytest.mark.usefixtures("small_lights")
def test_a_site_with_photographs_only_joins(write_folder: WriteFolder, check: Check) -> None:
    folder = on_sides(write_folder([{} for _ in range(20)], header=["image_id", "patient_id", "DR_ICDR"]))
    result = check(folder)
    assert result.exit_code == 0
    assert result.summary is not None
    assert result.summary.modalities == ("photographs",)
    assert {"no_notes", "no_structured_values"} <= kinds(result)


@pytest.mark.usefixtures("small_lights")
def test_copies_across_patients_with_other_grades_are_named_with_their_lines(
    write_folder: WriteFolder, check: Check
) -> None:
    rows: list[Mapping[str, str]] = [{} for _ in range(20)]
    rows[9] = {"DR_ICDR": "3", "diabetic_retinopathy": "1", "DR_SDRG": "3"}
    folder = on_sides(write_folder(rows))
    photographs = folder / "fundus_photos"
    (photographs / "img00010.jpg").write_bytes((photographs / "img00004.jpg").read_bytes())
    (photographs / "img00013.jpg").write_bytes((photographs / "img00012.jpg").read_bytes())
    result = check(folder)
    assert found(result, "identical_across_patients").count == 2
    assert found(result, "identical_conflicting_grades").where == "labels_brset.csv: lines 5 and 11"


def test_the_real_byte_identical_pairs_and_their_conflicting_grades_are_named(
    idrid: Path, tmp_path: Path, check: Check
) -> None:
    """Only the twelve photographs concerned and a few others: their contents decide, not their number."""
    table = pd.read_csv(idrid / "labels_brset.csv", dtype=str, keep_default_na=False)
    twins = [63, 123, 130, 147, 175, 181, 220, 381, 429, 435, 477, 493]
    folder = tmp_path / "part"
    (folder / "fundus_photos").mkdir(parents=True)
    part = table.iloc[sorted({*twins, *range(8)})]
    part.to_csv(folder / "labels_brset.csv", index=False)
    for name in part["image_id"]:
        (folder / "fundus_photos" / f"{name}.jpg").symlink_to(idrid / "fundus_photos" / f"{name}.jpg")
    result = check(folder)
    assert found(result, "identical_across_patients").count == 6
    assert found(result, "identical_conflicting_grades").count == 3
    assert "image_not_fundus" not in kinds(result)


@pytest.mark.usefixtures("small_lights")
def test_nothing_that_names_a_patient_is_in_the_document_or_the_page(
    write_folder: WriteFolder, check: Check
) -> None:
    rows: list[Mapping[str, str]] = [{} for _ in range(20)]
    rows[2] = {"patient_id": "patient-7", "patient_age": "210", "exam_eye": "1961-02-03"}
    rows[4] = {"patient_id": "patient-7", "DR_ICDR": "Ana Beatriz"}
    folder = write_folder(rows)
    result = check(folder)
    assert found(result, "age_out_of_range").lines == (4,)
    for text in (json.dumps(document(result)), render(result)):
        assert not [name for name in (*NAMES, "210", str(folder)) if name in text.replace("210,", "")]
    assert document(result)["schema"] == SCHEMA


@pytest.mark.usefixtures("small_lights")
def test_the_screen_fits_a_log_file(write_folder: WriteFolder, check: Check) -> None:
    rows: list[Mapping[str, str]] = [{} for _ in range(20)]
    rows[3] = {"patient_age": "999", "diabetic_retinopathy": "1"}
    stream = io.StringIO()
    show(check(write_folder(rows)), Console(file=stream, width=300))
    text = stream.getvalue()
    assert max(len(line) for line in text.splitlines()) <= WIDTH
    assert "\x1b" not in text
    assert text.strip().startswith("Can join, with warnings")


def test_the_page_needs_nothing_from_outside_and_shows_no_picture(clean: Path, check: Check) -> None:
    page = render(check(clean))
    assert "<img" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    assert "<svg" in page
    assert "no value of a patient" in page


def test_a_contradicting_split_stops_the_site(
    clean: Path, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    photographs = clean / "fundus_photos"
    (photographs / "img00002.jpg").write_bytes((photographs / "img00001.jpg").read_bytes())
    (clean / "split.csv").write_text("patient_id,split\n1,train\n2,test\n")
    result = check(clean)
    assert result.exit_code == 2
    assert "split_contradicts" in kinds(result)
