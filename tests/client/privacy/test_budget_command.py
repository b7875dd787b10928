"""`fedfundus-site budget`: the account as an operator reads it, and as a script does."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner

from client.cli import app
from client.privacy.dp.account import LedgerAccount, Limits
from client.privacy.dp.accountant import Steps, epsilon_of
from client.privacy.dp.plan import Plan
from client.privacy.errors import BudgetExhausted, LedgerError
from client.rights.participation import record_participation
from tests.client.privacy.private_sites import record_as_before

MakeSite = Callable[..., Any]
LIMIT = 4.0
PLAN = Plan("prototypes", 100, 0.2, 1.0, 2.0, 4, 3, 100, 50.0, 1e-5)


@pytest.fixture
def spent(private_site: MakeSite) -> Any:
    """Two rounds of a run, the noisy statistics of a federation, and a run that was not private."""
    site = private_site(f"epsilon_limit = {LIMIT}\nstatistics_epsilon = 0.5")
    account = LedgerAccount(site.book, "spring", Limits(LIMIT, None, 1e-5))
    account.charge(PLAN, 1, 10)
    site.book.charge("summer", "statistics", 0.5)
    account.charge(PLAN, 2, 10)
    record_participation(site.state, "spring", "north", ["a"], private=True)
    record_participation(site.state, "old", "north", ["a"])
    return site


def ran(site: Any, *arguments: str) -> Any:
    return CliRunner().invoke(app, ["budget", "--config", str(site.folder / "site.toml"), *arguments])


def test_it_says_what_is_spent_by_run_and_round_and_what_another_would_take(spent: Any) -> None:
    shown = ran(spent, "--json")
    assert shown.exit_code == 0, shown.output
    document = json.loads(shown.stdout)
    training = epsilon_of([Steps(2.0, 0.2, 20)], 1e-5)
    assert document["spent"] == {"epsilon": training + 0.5, "delta": 1e-5}
    assert document["limits"] == {"epsilon": LIMIT, "run_epsilon": None, "delta": 1e-5}
    assert document["left"]["epsilon"] == LIMIT - training - 0.5
    spring, summer = document["runs"]
    assert (spring["run"], spring["steps"], spring["epsilon"]) == ("spring", 20, training)
    assert [(charge["round"], charge["steps"]) for charge in spring["charges"]] == [(1, 10), (2, 10)]
    assert (summer["epsilon"], [charge["what"] for charge in summer["charges"]]) == (0.5, ["statistics"])
    (following,) = document["next"]
    after = epsilon_of([Steps(2.0, 0.2, 30)], 1e-5) + 0.5
    assert (following["run"], following["asked"], following["epsilon"]) == ("spring", 10, after)
    assert (following["allowed"], following["stopped_by"]) == (10, None)
    assert document["without_privacy"] == ["old"]
    text = ran(spent).stdout
    for words in (
        "left of 4",
        "round 2, 10 steps",
        "federation summer: epsilon 0.500",
        "statistics, alone epsilon 0.500",
        "10 of 10 steps",
        "old",
    ):
        assert words in text


def test_a_site_that_charged_nothing_says_so(private_site: MakeSite) -> None:
    site = private_site("epsilon_limit = 1.0")
    shown = ran(site)
    assert shown.exit_code == 0
    assert not list(site.state.folder.glob("ledger*"))  # a training worker may be about to begin it
    assert "nothing was charged yet" in shown.stdout
    assert "1.000 left of 1" in shown.stdout


def test_a_limit_that_leaves_no_step_is_spent_though_not_all_of_it_is(private_site: MakeSite) -> None:
    limit = epsilon_of([Steps(2.0, 0.2, 14)], 1e-5) + 1e-3
    site = private_site(f"epsilon_limit = {limit}")
    account = LedgerAccount(site.book, "spring", Limits(limit, None, 1e-5))
    account.charge(PLAN, 1, 10)
    assert ran(site).exit_code == 0  # four steps of another round
    account.charge(PLAN, 2, 10)
    with pytest.raises(BudgetExhausted):
        account.charge(PLAN, 3, 10)
    shown = ran(site, "--json")
    assert shown.exit_code == 1
    document = json.loads(shown.stdout)
    assert document["left"]["epsilon"] > 0
    (following,) = document["next"]
    assert (following["allowed"], following["stopped_by"]) == (0, "policy.epsilon_limit")
    assert "0 of 10 steps allowed (policy.epsilon_limit is used up)" in ran(site).stdout


@pytest.mark.parametrize(
    ("policy", "promised", "by"),
    [
        ("", epsilon_of([Steps(2.0, 0.2, 10)], 1e-5), "privacy.epsilon"),
        ("run_epsilon_limit = {limit}", 50.0, "policy.run_epsilon_limit"),
    ],
)
def test_a_run_that_has_taken_its_steps_does_not_spend_the_site(
    policy: str, promised: float, by: str, private_site: MakeSite
) -> None:
    limit = epsilon_of([Steps(2.0, 0.2, 10)], 1e-5)
    site = private_site(f"epsilon_limit = 40.0\n{policy.format(limit=limit)}")
    LedgerAccount(site.book, "spring", Limits(40.0, None, 1e-5)).charge(
        replace(PLAN, epsilon=promised), 1, 10
    )
    shown = ran(site, "--json")
    assert shown.exit_code == 0
    (following,) = json.loads(shown.stdout)["next"]
    assert (following["allowed"], following["stopped_by"]) == (0, by)


def test_an_altered_ledger_is_an_error_and_no_figure(spent: Any) -> None:
    path = spent.state.path("ledger")
    path.write_bytes(path.read_bytes().replace(b'"steps":10', b'"steps":1', 1))
    shown = ran(spent, "--json")
    assert isinstance(shown.exception, LedgerError)
    assert shown.exception.exit_code == 2
    assert shown.stdout == ""


def test_earlier_runs_that_were_private_are_not_named_as_without_privacy(private_site: MakeSite) -> None:
    site = private_site()
    LedgerAccount(site.book, "charged", Limits(None, None, 1e-5)).charge(PLAN, 1, 10)
    site.book.charge("plain", "statistics", 0.5)  # which says nothing of how the run of that name trained
    for run in ("charged", "registered", "plain"):
        record_as_before(site.state, run)
    site.state.write("worker/registered/private.json", b"{}")
    assert json.loads(ran(site, "--json").stdout)["without_privacy"] == ["plain"]
