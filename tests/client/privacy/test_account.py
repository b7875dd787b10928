"""Charges of training add up over rounds and runs; the tightest of three limits decides how many steps are taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from client.privacy.composition import Composition, training_of
from client.privacy.dp.account import LedgerAccount, Limits
from client.privacy.dp.accountant import Steps, epsilon_of
from client.privacy.dp.plan import Plan
from client.privacy.ledger import BudgetExhausted, Ledger, Spent
from shared_model.errors import FedFundusError

KEY, DELTA = b"k" * 32, 1e-5


def plan(**changes: Any) -> Plan:
    fields: dict[str, Any] = {
        "mode": "prototypes",
        "patients": 100,
        "rate": 0.2,
        "clip": 1.0,
        "noise_multiplier": 2.0,
        "groups": 4,
        "records": 3,
        "steps": 100,
        "epsilon": 50.0,
        "delta": DELTA,
    }
    return Plan(**fields | changes)


@pytest.fixture
def book(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger", KEY, compose=Composition(DELTA)).create()


def account(
    book: Ledger, name: str = "run", *, epsilon: float | None = None, run: float | None = None
) -> LedgerAccount:
    return LedgerAccount(book, name, Limits(epsilon, run, DELTA))


def test_the_steps_of_two_runs_compose_and_other_charges_add_to_them(book: Ledger) -> None:
    account(book, "one").charge(plan(), 1, 10)
    account(book, "two").charge(plan(noise_multiplier=1.5), 1, 5)
    account(book, "one").charge(plan(), 2, 10)
    schedule = [Steps(1.5, 0.2, 5), Steps(2.0, 0.2, 20)]
    assert list(training_of(book.entries())) == schedule
    training = epsilon_of(schedule, DELTA)
    assert book.spent() == Spent(training, DELTA)
    assert training < sum(entry.epsilon for entry in book.entries())  # each alone is dearer
    book.charge("one", "statistics", 0.5)
    assert book.spent() == Spent(training + 0.5, DELTA)


def test_what_other_charges_take_of_the_delta_is_not_trainings(book: Ledger) -> None:
    account(book).charge(plan(), 1, 10)
    book.charge("run", "statistics", 0.0, 0.5 * DELTA)
    assert book.spent().epsilon == epsilon_of([Steps(2.0, 0.2, 10)], 0.5 * DELTA)
    book.charge("run", "statistics", 0.0, 0.5 * DELTA)
    assert book.spent().epsilon == float("inf")
    with pytest.raises(BudgetExhausted):
        account(book, epsilon=100.0).charge(plan(), 2, 1)


def test_a_round_is_shortened_to_what_the_limit_allows_and_the_next_refused(book: Ledger) -> None:
    limit = epsilon_of([Steps(2.0, 0.2, 14)], DELTA) + 1e-6
    site = account(book, epsilon=limit)
    assert site.charge(plan(), 1, 10) == 10
    assert site.charge(plan(), 2, 10) == 4
    assert book.entries()[-1].detail["asked"] == 10
    for run in ("run", "another"):  # over the life of the data
        with pytest.raises(BudgetExhausted, match="this site's privacy limit would be passed"):
            account(book, run, epsilon=limit).charge(plan(), 3, 10)
    assert len(book.entries()) == 2
    assert book.spent().epsilon <= limit


def test_a_limit_for_one_run_leaves_room_for_the_next(book: Ledger) -> None:
    limit = epsilon_of([Steps(2.0, 0.2, 12)], DELTA) + 1e-6
    assert account(book, "one", run=limit).charge(plan(), 1, 20) == 12
    with pytest.raises(BudgetExhausted, match="for one run"):
        account(book, "one", run=limit).charge(plan(), 2, 20)
    assert account(book, "two", run=limit).charge(plan(), 1, 20) == 12


def test_what_the_run_promised_is_kept_however_often_a_round_is_asked_for(book: Ledger) -> None:
    promised = plan(epsilon=epsilon_of([Steps(2.0, 0.2, 25)], DELTA))
    taken = [account(book).charge(promised, 1, 10) for _ in range(3)]  # three other bases
    assert taken == [10, 10, 5]
    with pytest.raises(BudgetExhausted, match="budget of this run would be passed"):
        account(book).charge(promised, 2, 10)


def test_noise_that_statistics_were_charged_for_leaves_less_to_train_with(book: Ledger) -> None:
    limit = epsilon_of([Steps(2.0, 0.2, 14)], DELTA) + 1e-6
    book.charge("run", "statistics", 0.5)
    taken = account(book, epsilon=limit).charge(plan(), 1, 14)
    assert taken < 14
    assert book.spent().epsilon <= limit
    limited = Ledger(book.path, KEY, limit, Composition(DELTA))
    with pytest.raises(BudgetExhausted):  # and the other way round
        limited.charge("run", "statistics", 0.5)


def test_a_federations_statistics_count_for_the_site_and_not_for_a_run(book: Ledger) -> None:
    limit = epsilon_of([Steps(2.0, 0.2, 14)], DELTA) + 1e-6
    book.charge("north", "statistics", 0.5)  # once, for all runs of the federation
    assert account(book, "one", run=limit).charge(plan(), 1, 14) == 14
    both = account(book, "two", epsilon=book.spent().epsilon + 0.1, run=limit)
    assert both.charge(plan(), 1, 14) < 14


@pytest.mark.parametrize("lost", ["ledger", "ledger.head"])
def test_nothing_is_charged_to_a_ledger_that_is_not_whole(book: Ledger, lost: str) -> None:
    account(book).charge(plan(), 1, 1)
    book.path.with_name(lost).unlink()
    with pytest.raises(FedFundusError, match="lost"):
        account(book).charge(plan(), 2, 1)
