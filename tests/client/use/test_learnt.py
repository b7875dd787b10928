"""Patients that a site's runs train or validate on are those that a worker would, and they prove nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from model_in_use import Command

from client.rights.participation import record_participation
from client.site.config import load_site
from client.site.prepare import prepare
from client.site.state import SiteState
from client.use.cases import cases_of_site, cases_of_table
from client.use.grading import Graded
from client.use.learnt import learnt_from


@pytest.fixture
def site(data_folder: Path, tmp_path: Path, command: Command) -> Path:
    folder = tmp_path / "data"
    shutil.copytree(data_folder, folder)
    photographs = sorted((folder / "fundus_photos").iterdir())
    shutil.copy(photographs[0], photographs[40])  # two patients who share a photograph are on one side
    assert command("init", tmp_path, "--data", folder, "--name", "paulista").code == 0
    return tmp_path / "site.toml"


def state_of(site: Path) -> SiteState:
    config = load_site(site)
    return SiteState.open(config.state, config.key, encrypt=config.storage.encrypt)


def test_those_left_out_are_whom_a_worker_trains_and_validates_on(
    site: Path, model: Path, command: Command
) -> None:
    state = state_of(site)
    table = prepare(load_site(site), state, 32).table
    said = json.loads(command("grade", "--config", site, "--model", model, "--json").out)
    graded = table[table["icdr"].notna()]
    assert 0 < said["own_grades_left_out"] == int((graded["split"] != "test").sum()) < len(graded)
    counted = sum(p["n"] for one in said["own_grades"] for p in one["promises"][:2])
    assert counted == int((graded["split"] == "test").sum())


def test_a_patient_of_an_earlier_run_is_left_out_too(site: Path) -> None:
    state = state_of(site)
    cases = cases_of_site(load_site(site), mask_notes=False)
    graded = [
        Graded(n, record, patient, path, "", "refer", (), digest=str(n))
        for n, (record, patient, path) in enumerate(
            cases.table[["record_id", "patient_id", "image_path"]].itertuples(index=False)
        )
    ]
    before = learnt_from(cases, graded)
    everybody = set(cases.table["patient_id"])
    assert before < everybody
    new = min(everybody - before)
    record_participation(state, "run", "federation", [state.patient(new)])
    assert learnt_from(cases, graded) == before | {new}


def test_without_the_sites_state_nobody_can_tell_and_none_is_made(site: Path, data_folder: Path) -> None:
    config = load_site(site)
    assert not config.state.exists()
    assert learnt_from(cases_of_site(config, mask_notes=False), []) is None
    assert not config.state.exists()
    assert learnt_from(cases_of_table(data_folder, "brset", mask_notes=False), []) is None


def test_a_split_that_cannot_be_followed_leaves_it_unknown(site: Path) -> None:
    state_of(site)
    cases = cases_of_site(load_site(site), mask_notes=False)
    rows = cases.table.index[cases.table["patient_id"] == cases.table["patient_id"].iloc[0]]
    cases.table["split"] = pd.Series(["train", "test"], index=rows[:2]).reindex(cases.table.index)
    graded = [
        Graded(1, record, "p", "x.jpg", "", "refer", (), digest=record) for record in cases.table["record_id"]
    ]
    assert learnt_from(cases, graded) is None
