"""Two answers are compared table by table, and a run that joins learns no more than an answer would tell it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from client.privacy.ledger import Ledger
from client.statistics.answers import NAME, AnswerRefused, Answers
from client.statistics.fingerprints import MEMBERSHIP, difference, fingerprints
from client.statistics.policy import OPEN, Policy
from shared_model.errors import DataError
from tests.client.statistics.asked import KEY, POLICY, without

MakeRecords = Callable[..., pd.DataFrame]


def ask(state: Any, federation: str, table: pd.DataFrame, policy: Policy = POLICY) -> dict[str, Any]:
    return Answers(state, federation, KEY).ask(table, None, policy)


def count(state: Any, federation: str, table: pd.DataFrame, policy: Policy = POLICY) -> int:
    answers = Answers(state, federation, KEY)
    shown = answers.preview_count(table, policy)
    assert answers.count(table, policy) == shown
    return shown


@pytest.mark.parametrize(
    "everybody",
    [
        {"sdrg": [4 - i % 5 for i in range(60)]},
        {"age": [60.0 + i % 20 for i in range(60)]},
        {"sex": [None] * 60},
    ],
)
def test_a_change_of_one_column_does_not_uncover_one_patient_in_the_others(
    state: Any, table: pd.DataFrame, everybody: dict[str, list[Any]]
) -> None:
    first = ask(state, "one", table)
    columns = {name: pd.Series(values, dtype=table[name].dtype) for name, values in everybody.items()}
    excluded = without(table.assign(**columns), 1)
    assert ask(state, "one", excluded) == first
    with pytest.raises(AnswerRefused, match="too few patients have changed"):
        ask(state, "two", excluded)


def test_other_photographs_of_everybody_do_not_uncover_one_patient(state: Any, table: pd.DataFrame) -> None:
    class Store:
        size = 2

        def __init__(self, export: str) -> None:
            self.records = list(table["record_id"])
            self.digests = {record: f"{export} {record}" for record in self.records}

        def index_of(self, record: str) -> int:
            return self.records.index(record)

        def batch(self, indices: Any) -> np.ndarray:
            return np.full((len(indices), 3, 2, 2), 7, dtype=np.uint8)

    first = Answers(state, "one", KEY).ask(table, Store("old"), POLICY)  # type: ignore[arg-type]
    again = Answers(state, "one", KEY).ask(without(table, 1), Store("new"), POLICY)  # type: ignore[arg-type]
    assert again == first
    everybody = Answers(state, "one", KEY).ask(table, Store("new"), POLICY)  # type: ignore[arg-type]
    assert everybody["photographs"] == first["photographs"]
    assert state.writes == 2  # a new answer: all photographs changed, and nobody else


def test_a_table_in_which_few_changed_is_withheld_from_another_federation(
    state: Any, table: pd.DataFrame
) -> None:
    first = ask(state, "one", table)
    many = table["age"].where(table.index > 20, 90.0)
    corrected = table.assign(age=many, icdr=table["icdr"].where(table.index != 3, 0))
    assert ask(state, "one", corrected) == first  # stored and new tables never stand in one answer
    answer = ask(state, "two", corrected)
    assert answer["absent"]["icdr"] == "few_changed"
    assert answer["classes"]["icdr"] is None
    assert answer["classes"]["sdrg"] == first["classes"]["sdrg"]
    assert answer["years"]["age"] != first["years"]["age"]
    assert ask(state, "two", corrected) == answer


def test_values_let_out_again_count_as_new_ones(make_records: MakeRecords, state: Any) -> None:
    """Two lack the age, so three more were held back: once many lack it, these three would be told beside before."""
    ages: list[float | None] = [None] * 2 + [50.0] * 58
    first = ask(state, "one", make_records(60, age=ages))
    assert first["years"]["age"]["counts"] == [55]
    grown = make_records(70, age=[*ages, *[None] * 10])
    assert ask(state, "one", grown) == first
    assert ask(state, "two", grown)["absent"]["age"] == "few_changed"


def test_one_who_lost_a_value_is_not_hidden_by_everybody_elses_new_one(
    state: Any, table: pd.DataFrame
) -> None:
    def graded(lacking: int, grades: list[int]) -> pd.DataFrame:
        column: list[int | None] = [None] * lacking + grades[lacking:]
        return table.assign(sdrg=pd.Series(column, dtype=table["sdrg"].dtype))

    first = ask(state, "one", graded(10, [i % 5 for i in range(60)]))
    recoded = graded(11, [4 - i % 5 for i in range(60)])
    assert ask(state, "one", recoded) == first
    assert ask(state, "two", recoded)["absent"]["sdrg"] == "few_changed"


def test_the_larger_minimum_of_the_two_answers_counts(state: Any, table: pd.DataFrame) -> None:
    first = ask(state, "one", table, Policy(minimum_cell=10))
    seven = without(table, 7)
    for lowered in (Policy(minimum_cell=5), Policy(minimum_cell=2), OPEN):
        assert ask(state, "one", seven, lowered) == first
        with pytest.raises(AnswerRefused):
            ask(state, "two", seven, lowered)
        assert count(state, "two", seven, lowered) == 60
    assert count(state, "two", without(table, 10), Policy(minimum_cell=5)) == 50


def test_a_run_that_joins_is_told_the_earlier_count_until_many_have_changed(
    state: Any, table: pd.DataFrame
) -> None:
    assert count(state, "one", table) == 60
    assert count(state, "one", without(table, 1)) == 60
    assert count(state, "two", without(table, 4)) == 60
    assert count(state, "two", without(table, 5)) == 55
    assert count(state, "one", without(table, 3)) == 55  # two patients from the last, three from the first
    assert count(state, "one", table) == 60
    writes = state.writes
    assert count(state, "three", table) == 60
    assert state.writes == writes


def test_counts_and_answers_are_held_against_each_other(state: Any, table: pd.DataFrame) -> None:
    ask(state, "one", table)
    assert count(state, "one", without(table, 1)) == 60
    assert count(state, "two", without(table, 10)) == 50
    with pytest.raises(AnswerRefused):
        ask(state, "two", without(table, 11))
    assert ask(state, "two", without(table, 10))["records"] == 50


def test_a_noisy_answer_does_not_decide_on_an_exact_count(
    state: Any, table: pd.DataFrame, tmp_path: Path
) -> None:
    ledger = Ledger(tmp_path / "ledger", KEY, limit_epsilon=9.0).create()
    noisy = Policy(minimum_cell=5, epsilon=1.0)
    assert count(state, "one", table, noisy) == 60
    Answers(state, "one", KEY, ledger).ask(without(table, 1), None, noisy)
    assert Answers(state, "one", KEY, ledger).count(without(table, 1), noisy) == 60


def test_without_a_minimum_every_count_and_answer_is_the_present_one(state: Any, table: pd.DataFrame) -> None:
    for minimum in (0, 1):
        policy = Policy(minimum_cell=minimum)
        for gone in (0, 1, 2):
            assert count(state, "one", without(table, gone), policy) == 60 - gone
            assert ask(state, f"{minimum} {gone}", without(table, gone), Policy(0))["records"] == 60 - gone


def test_a_replaced_photograph_changes_no_count(table: pd.DataFrame) -> None:
    """Nine of them would else hide one patient who left."""
    renamed = table.assign(record_id=[f"other {name}" for name in table["record_id"]])
    pair = [fingerprints(records, None, POLICY, KEY) for records in (table, without(renamed, 1))]
    found = difference(*pair, MEMBERSHIP)
    assert (found.moved, found.changed, found.safe(5)) == (1, 1, False)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger", KEY).create()


def test_what_was_told_is_in_the_ledger_before_it_leaves_and_costs_nothing(
    state: Any, table: pd.DataFrame, ledger: Ledger
) -> None:
    answers = Answers(state, "one", KEY, ledger)
    answers.count(table, POLICY)
    answers.ask(table, None, POLICY)
    answers.ask(table, None, POLICY)
    assert [(entry.run, entry.what) for entry in ledger.entries()] == [
        ("one", "count told"),
        ("one", "statistics told"),
    ]
    assert ledger.spent().epsilon == 0.0


@pytest.mark.parametrize("lost", ["everything", "the last answer"])
def test_a_lost_store_stops_the_site_from_telling_more(
    state: Any, table: pd.DataFrame, ledger: Ledger, lost: str
) -> None:
    Answers(state, "one", KEY, ledger).count(table, POLICY)
    older = state.files[NAME]
    Answers(state, "one", KEY, ledger).ask(table, None, POLICY)
    if lost == "everything":
        del state.files[NAME]
    else:
        state.files[NAME] = older
    answers = Answers(state, "one", KEY, ledger)
    for call in (
        lambda: answers.ask(without(table, 1), None, POLICY),
        lambda: answers.preview(table, None, POLICY),
        lambda: answers.count(table, POLICY),
        lambda: answers.preview_count(table, POLICY),
    ):
        with pytest.raises(DataError, match="missing from its records"):
            call()


def test_a_crash_between_store_and_ledger_is_made_good_by_the_next_answer(
    state: Any, table: pd.DataFrame, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "record", dies)
        with pytest.raises(KeyboardInterrupt):
            Answers(state, "one", KEY, ledger).ask(table, None, POLICY)
    assert ledger.entries() == []
    Answers(state, "one", KEY, ledger).ask(without(table, 1), None, POLICY)
    assert [entry.detail["told"] for entry in ledger.entries()]
    del state.files[NAME]
    with pytest.raises(DataError, match="missing"):
        Answers(state, "one", KEY, ledger).ask(table, None, POLICY)


def test_what_costs_nothing_is_entered_beyond_a_limit_that_was_lowered(
    state: Any, table: pd.DataFrame, ledger: Ledger
) -> None:
    ledger.charge("run", "training", 3.0)
    lowered = Ledger(ledger.path, KEY, limit_epsilon=1.0)
    Answers(state, "one", KEY, lowered).ask(table, None, POLICY)
    assert [entry.what for entry in lowered.entries()] == ["training", "statistics told"]


def test_what_is_kept_says_nothing_of_a_patients_values(state: Any, table: pd.DataFrame) -> None:
    """Equal values of two patients have different digests."""
    ask(state, "one", table)
    kept = json.loads(state.files[NAME])["answers"][0]
    at = kept["tables"].index("icdr")
    assert len({marks[at] for marks in kept["patients"].values()}) == 60
