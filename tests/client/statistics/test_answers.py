"""A question is answered once: what differs by few patients is never told twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from client.privacy.ledger import BudgetExhausted, Ledger
from client.statistics.answers import NAME, AnswerRefused, Answers
from client.statistics.policy import Policy
from shared_model.errors import ConfigError, DataError, RunError
from tests.client.statistics.asked import KEY, POLICY, without

MakeRecords = Callable[..., pd.DataFrame]


def ask(state: Any, federation: str, table: pd.DataFrame, policy: Policy = POLICY) -> str:
    return json.dumps(Answers(state, federation, KEY).ask(table, None, policy), sort_keys=True)


def test_asked_again_the_same_bytes_are_given(state: Any, table: pd.DataFrame) -> None:
    first = ask(state, "one", table)
    assert state.writes == 1
    assert ask(state, "one", table.sample(frac=1, random_state=0)) == first
    assert state.writes == 1
    assert ask(state, "two", table) == first  # another federation, the same patients: the same answer


@pytest.mark.parametrize("patients", [1, 4])
def test_two_answers_cannot_be_subtracted(state: Any, table: pd.DataFrame, patients: int) -> None:
    """What a coordinator would learn of the few who left, by subtraction, is never told."""
    first = ask(state, "one", table)
    fewer = without(table, patients)
    assert ask(state, "one", fewer) == first
    with pytest.raises(AnswerRefused, match="too few patients have changed"):
        ask(state, "two", fewer)
    assert state.writes == 1


def test_a_changed_value_is_a_changed_patient(state: Any, table: pd.DataFrame) -> None:
    first = ask(state, "one", table)
    corrected = table.assign(age=table["age"].where(table.index != 3, 90.0))
    assert ask(state, "one", corrected) == first
    many = table.assign(age=table["age"].where(table.index > 4, 90.0))
    assert ask(state, "one", many) != first


def test_patients_who_are_only_validated_on_do_not_count(
    state: Any, table: pd.DataFrame, make_records: MakeRecords
) -> None:
    first = ask(state, "one", table)
    assert ask(state, "two", pd.concat([table, make_records(50, "validation")], ignore_index=True)) == first


def test_enough_change_gives_a_new_answer_which_is_kept_too(state: Any, table: pd.DataFrame) -> None:
    first, second = ask(state, "one", table), ask(state, "one", without(table, 5))
    assert second != first
    assert json.loads(second)["records"] == 55
    assert ask(state, "one", without(table, 5)) == second


def test_every_answer_ever_given_counts_not_the_last_one_only(state: Any, table: pd.DataFrame) -> None:
    ask(state, "one", table)
    second = ask(state, "one", without(table, 10))
    assert (
        ask(state, "one", without(table, 2)) == second
    )  # far from the second answer, two patients from the first
    with pytest.raises(AnswerRefused):
        ask(state, "two", without(table, 2))
    with pytest.raises(AnswerRefused):
        ask(state, "two", without(table, 12))
    ask(state, "two", without(table, 15))


def test_the_same_patients_are_never_merged_in_two_ways(state: Any, table: pd.DataFrame) -> None:
    first = ask(state, "one", table)
    finer = Policy(minimum_cell=3)
    assert ask(state, "one", table, finer) == first
    with pytest.raises(AnswerRefused, match="another minimum"):
        ask(state, "two", table, finer)


def test_a_question_withdrawn_is_withdrawn_from_the_stored_answer(state: Any, table: pd.DataFrame) -> None:
    ask(state, "one", table)
    fewer = json.loads(ask(state, "one", table, Policy(5, frozenset({"records"}))))
    assert fewer["records"] == 60
    assert fewer["classes"] == {"icdr": None, "sdrg": None}


def test_nothing_of_a_patient_is_in_what_is_kept(state: Any, table: pd.DataFrame) -> None:
    ask(state, "one", table)
    kept = state.files[NAME].decode()
    assert not any(name in kept for name in table["patient_id"])
    assert len(json.loads(kept)["answers"][0]["patients"]) == 60


def test_answers_that_cannot_be_read_stop_the_site_from_telling_more(state: Any, table: pd.DataFrame) -> None:
    for content in (b"{", b"[]", b'{"answers": [{"federation": "one"}]}'):
        state.files[NAME] = content
        with pytest.raises(DataError, match="cannot be read"):
            ask(state, "one", table)


def test_preview_shows_what_would_be_given_and_leaves_no_trace(state: Any, table: pd.DataFrame) -> None:
    answers = Answers(state, "one", KEY)
    shown = answers.preview(table, None, POLICY)
    assert shown.origin == "new"
    assert state.writes == 0
    assert answers.ask(table, None, POLICY) == shown.answer
    assert answers.preview(without(table, 1), None, POLICY).origin == "stored"
    with pytest.raises(AnswerRefused):
        Answers(state, "two", KEY).preview(without(table, 1), None, POLICY)


NOISY = Policy(minimum_cell=5, epsilon=2.0)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger", KEY, limit_epsilon=5.0).create()


def test_noise_is_charged_once_an_answer_and_the_stored_one_is_free(
    state: Any, table: pd.DataFrame, ledger: Ledger
) -> None:
    answers = Answers(state, "one", KEY, ledger)
    first = answers.ask(table, None, NOISY)
    assert answers.ask(table, None, NOISY) == first
    assert answers.preview(table, None, NOISY).answer == first
    assert ledger.spent().epsilon == 2.0
    second = answers.ask(
        without(table, 1), None, NOISY
    )  # one patient less: a new answer, since it is charged
    assert second != first
    assert ledger.spent().epsilon == 4.0
    with pytest.raises(BudgetExhausted, match="privacy limit"):
        Answers(state, "two", KEY, ledger).ask(table, None, NOISY)
    assert state.writes == 2


def test_the_charge_is_on_disk_before_the_noise_is_drawn_or_anything_kept(
    state: Any, table: pd.DataFrame, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spent(*_: object) -> None:
        assert ledger.spent().epsilon == 2.0
        raise RunError("the process dies here")

    monkeypatch.setattr("client.statistics.site_answer.noisy_counts", spent)
    with pytest.raises(RunError, match="dies here"):
        Answers(state, "one", KEY, ledger).ask(table, None, NOISY)
    monkeypatch.undo()
    monkeypatch.setattr(state, "write", spent)
    with pytest.raises(AssertionError):  # the second asking is a second charge: never too few
        Answers(state, "one", KEY, ledger).ask(table, None, NOISY)
    assert ledger.spent().epsilon == 4.0


def test_noise_without_a_ledger_is_refused(state: Any, table: pd.DataFrame) -> None:
    with pytest.raises(ConfigError, match="ledger"):
        Answers(state, "one", KEY).ask(table, None, NOISY)
