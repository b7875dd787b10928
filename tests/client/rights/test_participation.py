from __future__ import annotations

from pathlib import Path

import pytest

from client.rights.participation import record_participation, runs_of
from client.site.contents import PARTICIPATION
from client.site.state import SiteState
from shared_model.errors import DataError


@pytest.fixture
def state(tmp_path: Path) -> SiteState:
    return SiteState.open(tmp_path / "state", tmp_path / "site.key")


def rounds(state: SiteState, patient: str) -> list[tuple[str, str, int, int]]:
    return [(use.run, use.federation, use.first_round, use.last_round) for use in runs_of(state, patient)]


def test_the_same_patients_are_written_once_a_run(state: SiteState) -> None:
    assert record_participation(state, "run", "hospitals", ["b", "a"])
    before = state.path(PARTICIPATION).stat().st_size
    assert not record_participation(state, "run", "hospitals", ["a", "b", "a"])
    assert state.path(PARTICIPATION).stat().st_size == before
    assert record_participation(state, "another", "hospitals", ["a", "b"])
    assert record_participation(state, "run", "others", ["a", "b"])


def test_each_patient_has_the_rounds_in_which_they_were_used(state: SiteState) -> None:
    record_participation(state, "run", "hospitals", ["a", "b"], round_number=1)
    record_participation(state, "run", "hospitals", ["a", "b"], round_number=2)
    record_participation(state, "run", "hospitals", ["a", "c"], round_number=3)
    record_participation(state, "run", "hospitals", ["a", "c"], round_number=7)
    assert rounds(state, "a") == [("run", "hospitals", 1, 2), ("run", "hospitals", 3, 7)]
    assert rounds(state, "b") == [("run", "hospitals", 1, 2)]
    assert rounds(state, "c") == [("run", "hospitals", 3, 7)]
    assert rounds(state, "d") == []


def test_a_round_asked_again_writes_nothing(state: SiteState) -> None:
    record_participation(state, "run", "hospitals", ["a"], round_number=3)
    assert not record_participation(state, "run", "hospitals", ["a"], round_number=2)
    assert not record_participation(state, "run", "hospitals", ["a"], round_number=3)


def test_noting_a_round_does_not_write_all_patients_again(state: SiteState) -> None:
    record_participation(state, "run", "hospitals", [f"{number:032x}" for number in range(1000)])
    before = state.path(PARTICIPATION).stat().st_size
    record_participation(
        state, "run", "hospitals", [f"{number:032x}" for number in range(1000)], round_number=2
    )
    assert state.path(PARTICIPATION).stat().st_size - before < 300


def test_a_site_restarted_in_the_middle_of_a_write_goes_on(state: SiteState) -> None:
    record_participation(state, "run", "hospitals", ["a"])
    with state.path(PARTICIPATION).open("ab") as stream:
        stream.write(b"\x00\x00\x01")
    assert record_participation(state, "run", "hospitals", ["a", "b"], round_number=2)
    assert rounds(state, "b") == [("run", "hospitals", 2, 2)]


def test_an_altered_record_stops_the_site_from_training(state: SiteState) -> None:
    record_participation(state, "run", "hospitals", ["a"])
    whole = bytearray(state.path(PARTICIPATION).read_bytes())
    whole[-3] ^= 4
    state.path(PARTICIPATION).write_bytes(whole)
    with pytest.raises(DataError):
        record_participation(state, "run", "hospitals", ["a"], round_number=2)
