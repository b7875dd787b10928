from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from client.check import measure
from client.data.images import ImageStore
from client.rights import exclude as exclude_module
from client.rights.exclude import exclude, excluded, include
from client.rights.participation import record_participation
from client.site.contents import EXCLUDED, IMAGES, MEASUREMENTS, PARTICIPATION, QUARANTINE
from client.site.state import SiteState
from shared_model.errors import DataError, RunError
from tests.client.rights.conftest import PATIENTS, Site, build

GONE, STAYS, NEVER_TRAINED = PATIENTS[1], PATIENTS[0], PATIENTS[2]


def mentions(site: Site, *names: str) -> set[str]:
    """The files of the state folder in which one of the names, or a measurement of one as a path, can be read."""
    forms = [form for name in names for form in (name.encode(), measure._digest(name))]
    return {file for file, content in site.decrypted() if any(form in content for form in forms)}


def paths(site: Site, patient: str) -> list[str]:
    return [str(path) for path in site.table.loc[site.table["patient_id"] == patient, "image_path"]]


def test_an_excluded_patient_is_in_no_place_but_the_two_that_must_remember(site: Site) -> None:
    state, records = site.state, site.records(GONE)
    hashed = [state.record(name) for name in records]
    pseudonym = state.patient(GONE)
    everywhere = {QUARANTINE, MEASUREMENTS, f"{IMAGES}.json", PARTICIPATION}
    assert mentions(site, GONE, pseudonym, *records, *hashed, *paths(site, GONE)) == everywhere
    pixels = ImageStore.open(state.path(IMAGES), state.vault)
    theirs = [pixels.batch([pixels.index_of(name)]).tobytes() for name in hashed]

    exclusion = exclude(state, GONE, site.table)

    assert mentions(site, GONE, *records, *hashed, *paths(site, GONE)) == set()
    assert mentions(site, pseudonym) == {EXCLUDED, PARTICIPATION}
    left = ImageStore.open(state.path(IMAGES), state.vault)
    assert len(left) == 4
    assert not any(left.batch([n]).tobytes() in theirs for n in range(4))
    assert exclusion.new
    assert exclusion.known
    assert excluded(state) == {pseudonym}
    assert exclusion.removed == (
        "2 prepared photographs",
        "2 rows of the quarantine, theirs or of a patient not named",
        "the measurements of their photographs",
        "the local parameters of run run-1",
    )


def test_nothing_of_the_other_patients_is_lost(site: Site) -> None:
    exclude(site.state, GONE, site.table)
    for patient in (STAYS, NEVER_TRAINED):
        for record in site.records(patient):
            assert mentions(site, record) == {QUARANTINE, f"{IMAGES}.json"}
            assert mentions(site, site.state.record(record)) == {f"{IMAGES}.json"}
        for path in paths(site, patient):
            assert mentions(site, path) == {MEASUREMENTS, f"{IMAGES}.json"}
    assert site.state.read("answers/statistics.json") is not None
    assert site.state.read("ledger") == b"charges"


def test_what_is_said_and_kept_never_holds_the_hospitals_id(site: Site) -> None:
    exclusion = exclude(site.state, GONE, site.table)
    said = json.dumps([exclusion.removed, [vars(use) for use in exclusion.runs], exclusion.notices])
    assert GONE not in said + repr(exclusion)
    assert not any(name in said for name in site.records(GONE))
    with pytest.raises(DataError) as caught:
        exclude(site.state, "   ", site.table)
    assert "empty" in str(caught.value)


def test_the_runs_that_used_the_patient_are_named_with_their_rounds(site: Site) -> None:
    state = site.state
    everyone = [state.patient(name) for name in PATIENTS]
    record_participation(state, "run-1", "federation-a", everyone[:2], round_number=4)
    record_participation(state, "run-2", "federation-b", everyone)
    runs = exclude(state, GONE, site.table).runs
    assert [(use.run, use.federation, use.first_round, use.last_round) for use in runs] == [
        ("run-1", "federation-a", 1, 4),
        ("run-2", "federation-b", 1, 1),
    ]
    never = exclude(state, NEVER_TRAINED, site.table)
    assert [use.run for use in never.runs] == ["run-2"]


def test_a_patient_no_run_used_costs_no_run_its_local_parameters(site: Site) -> None:
    exclusion = exclude(site.state, NEVER_TRAINED, site.table)
    assert exclusion.runs == ()
    assert site.state.path("worker/run-1/local.safetensors").exists()
    assert not any("do not forget" in notice for notice in exclusion.notices)


def test_excluding_twice_changes_nothing_more(site: Site) -> None:
    exclude(site.state, GONE, site.table)
    before = dict(site.decrypted())
    again = exclude(site.state, GONE, site.table)
    assert not again.new
    assert again.known
    assert again.removed == ()
    assert dict(site.decrypted()) == before


def test_what_came_back_between_is_removed_again(site: Site) -> None:
    exclude(site.state, GONE, site.table)
    build(site)
    assert mentions(site, site.state.record(site.records(GONE)[0]))
    assert not exclude(site.state, GONE, site.table).new
    assert mentions(site, *site.records(GONE), *map(site.state.record, site.records(GONE))) == set()


def test_an_unknown_patient_is_barred_with_a_notice_and_nothing_is_removed(site: Site) -> None:
    before = {name: content for name, content in site.decrypted() if name != QUARANTINE}
    exclusion = exclude(site.state, "RGHT-9999", site.table)
    assert exclusion.new
    assert not exclusion.known
    assert "No record of this patient is known now" in exclusion.notices[0]
    assert exclusion.removed == ()
    assert site.state.patient("RGHT-9999") in excluded(site.state)
    after = {name: content for name, content in site.decrypted() if name not in (EXCLUDED, QUARANTINE)}
    assert after == before


def test_without_the_sites_table_what_cannot_be_told_apart_goes_whole(site: Site) -> None:
    site.state.write(QUARANTINE, b"row,record,column,reason\n2,img00003,icdr,not a grade\n")
    exclusion = exclude(site.state, GONE)
    assert exclusion.known
    assert site.state.read(QUARANTINE) == b"row,record,column,reason\n"
    assert not site.state.path(MEASUREMENTS).exists()
    assert len(ImageStore.open(site.state.path(IMAGES), site.state.vault)) == 4
    assert any("could not be read" in notice for notice in exclusion.notices)


@pytest.mark.parametrize("patient", [GONE, ""], ids=["theirs", "of nobody named"])
def test_a_quarantined_photograph_that_may_be_theirs_costs_all_measurements(site: Site, patient: str) -> None:
    rows = f"row,record,patient,column,reason\n9,odd77,{patient},icdr,no grade\n10,odd78,{STAYS},icdr,none\n"
    site.state.write(QUARANTINE, rows.encode())
    removed = exclude(site.state, GONE, site.table).removed
    assert not site.state.path(MEASUREMENTS).exists()
    assert "all measurements, which could not be told apart" in removed
    assert mentions(site, "odd77") == set()
    assert mentions(site, "odd78") == {QUARANTINE}


def test_damaged_caches_are_removed_rather_than_trusted(site: Site) -> None:
    for name in (f"{IMAGES}.json", MEASUREMENTS, QUARANTINE):
        whole = site.state.path(name).read_bytes()
        site.state.path(name).write_bytes(whole[:10] + b"\xff" * 60 + whole[70:])
    exclude(site.state, GONE, site.table)
    for name in (IMAGES, f"{IMAGES}.json", MEASUREMENTS, QUARANTINE):
        assert not site.state.path(name).exists()


def test_an_interrupted_build_leaves_no_photograph_behind(site: Site) -> None:
    (site.folder / f".{IMAGES}.99.tmp").write_bytes(b"pixels")
    (site.folder / f".{QUARANTINE}.abc").write_bytes(b"rows")
    exclude(site.state, GONE, site.table)
    assert not [path for path in site.folder.iterdir() if path.name.startswith(".")]


def test_an_exclusion_that_is_interrupted_holds_and_is_finished_by_doing_it_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(exclude_module, "purge_traces", interrupted)
        with pytest.raises(KeyboardInterrupt):
            exclude(site.state, GONE, site.table)
    assert excluded(site.state) == {site.state.patient(GONE)}
    assert exclude(site.state, GONE, site.table).removed
    assert mentions(site, *site.records(GONE)) == set()


def test_another_command_is_waited_for_and_then_named(site: Site) -> None:
    other, told = SiteState.open(site.folder, site.key, encrypt=site.state.vault is not None), list[str]()
    with other.lock("check"), pytest.raises(RunError, match="check, process"):
        exclude(site.state, GONE, site.table, wait=0.3, waiting=told.append)
    assert told == [f"check, process {os.getpid()}"]
    assert excluded(site.state) == set()


def test_an_exclusion_can_be_taken_back_and_both_stay_on_record(site: Site) -> None:
    assert not include(site.state, GONE)
    exclude(site.state, GONE, site.table)
    assert include(site.state, GONE)
    assert excluded(site.state) == set()
    events = json.loads(site.state.read(EXCLUDED) or b"")["patients"][site.state.patient(GONE)]
    assert [event for event, _ in events] == ["excluded", "included"]
    assert exclude(site.state, GONE, site.table).new


def test_an_altered_list_of_exclusions_is_an_error_not_an_empty_list(site: Site) -> None:
    exclude(site.state, GONE, site.table)
    path: Path = site.state.path(EXCLUDED)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DataError):
        excluded(site.state)
