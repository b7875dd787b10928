"""A run's name at a site stands for one plan: what another of that name left is never gone on from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from client.rights.participation import record_participation
from client.site.state import SiteState
from client.worker.run_name import hold_to_its_plan
from shared_model.config import Config
from shared_model.errors import DataError
from tests.client.privacy.private_sites import record_as_before

NAME = "worker/run-1/plan.json"


@pytest.fixture
def state(tmp_path: Path) -> SiteState:
    return SiteState.open(tmp_path / "state", tmp_path / "site.key")


def test_a_plan_finds_its_name_again_whatever_it_is_computed_on(
    state: SiteState, small_config: Callable[..., Config]
) -> None:
    for overrides in ((), (), ("runtime.device=cpu", "runtime.threads=3")):
        hold_to_its_plan(state, "run-1", "north", small_config(*overrides))
    hold_to_its_plan(state, "run-2", "north", small_config("training.local_steps=3"))


@pytest.mark.parametrize(
    ("first", "then", "federation", "words"),
    [
        ((), ("privacy.enabled=true",), "north", "run name run-1 .* trains without differential privacy"),
        (("privacy.enabled=true",), (), "north", "run name run-1 .* trains under differential privacy"),
        ((), ("training.local_steps=3",), "north", "another plan"),
        ((), (), "south", "another plan"),
    ],
)
def test_another_plan_of_the_same_name_is_refused_and_told_what_to_do(
    first: tuple[str, ...],
    then: tuple[str, ...],
    federation: str,
    words: str,
    state: SiteState,
    small_config: Callable[..., Config],
) -> None:
    hold_to_its_plan(state, "run-1", "north", small_config(*first))
    with pytest.raises(DataError, match=words) as refused:
        hold_to_its_plan(state, "run-1", federation, small_config(*then))
    assert "another name" in (refused.value.fix or "")
    hold_to_its_plan(state, "run-1", "north", small_config(*first))  # whose name it stays


def test_what_is_kept_of_a_plan_that_was_not_recorded_is_nobodys(
    state: SiteState, small_config: Callable[..., Config]
) -> None:
    state.write("worker/run-1/owed-1.safetensors", b"")
    with pytest.raises(DataError, match="kept no record"):
        hold_to_its_plan(state, "run-1", "north", small_config())
    assert state.read(NAME) is None


@pytest.mark.parametrize("override", [(), ("privacy.enabled=true",)], ids=["plain", "private"])
def test_noise_that_was_registered_before_plans_were_recorded_is_nobodys(
    override: tuple[str, ...], state: SiteState, small_config: Callable[..., Config]
) -> None:
    state.write("worker/run-1/registered.json", b"40")
    state.write("worker/run-1/private.json", b'{"of": "abc", "plan": {"patients": 5}}')
    with pytest.raises(DataError, match="kept no record"):
        hold_to_its_plan(state, "run-1", "north", small_config(*override))
    assert state.read(NAME) is None


@pytest.mark.parametrize("override", [(), ("privacy.enabled=true",)], ids=["plain", "private"])
def test_a_run_that_trained_before_it_was_recorded_how_gives_its_name_to_no_plan(
    override: tuple[str, ...], state: SiteState, small_config: Callable[..., Config]
) -> None:
    record_as_before(state, "run-1")
    with pytest.raises(DataError, match="kept no record"):
        hold_to_its_plan(state, "run-1", "north", small_config(*override))
    hold_to_its_plan(state, "run-2", "north", small_config(*override))


@pytest.mark.parametrize("private", [True, False])
def test_where_the_runs_folder_was_deleted_how_it_trained_is_still_known(
    private: bool, state: SiteState, small_config: Callable[..., Config]
) -> None:
    record_participation(state, "run-1", "north", ["a"], private=private)
    asked = {True: small_config("privacy.enabled=true"), False: small_config()}
    with pytest.raises(DataError, match=f"{'under' if private else 'without'} differential privacy"):
        hold_to_its_plan(state, "run-1", "north", asked[not private])
    hold_to_its_plan(state, "run-1", "north", asked[private])  # which begins anew


def test_a_record_that_is_damaged_is_said_to_be(
    state: SiteState, small_config: Callable[..., Config]
) -> None:
    for content in (b"{", b"[]", b"{}"):
        state.write(NAME, content)
        with pytest.raises(DataError, match="damaged"):
            hold_to_its_plan(state, "run-1", "north", small_config())
