"""A site's words in the record and on the operator's screen: short, in one line, without control codes."""

from __future__ import annotations

import pytest

from server.errors import CoordinatorError
from server.grid_sites import _answer
from server.guard.update import UpdateGuard
from server.handshake import Roster, Terms, admit
from server.sites import SiteFailure
from shared_model.exchange import Payload
from shared_model.exchange.flower_records import PROBLEM, to_records
from shared_model.version import PACKAGE_VERSION

ESCAPE = "\x1b[2J\x1b]0;owned\x07"
FIELDS = {"version": PACKAGE_VERSION, "trunk": "t", "tensors": {}, "examples": 3}


def clean(text: str) -> bool:
    return text.isprintable() and len(text) <= 300


class Reply:
    """What the grid hands over: of a Flower message no more than is read."""

    def __init__(self, payload: Payload) -> None:
        self.content = to_records(payload)

    def has_error(self) -> bool:
        return False


def test_a_problem_that_a_site_sends_is_one_short_line() -> None:
    failure = _answer(Reply(Payload(fields={PROBLEM: ESCAPE + "no\nmore" + "x" * 5000})))  # type: ignore[arg-type]
    assert isinstance(failure, SiteFailure)
    assert failure.reason.startswith("?[2J")
    assert clean(failure.reason)


def test_a_site_joins_under_a_name_that_can_be_shown() -> None:
    roster = Roster({}, {})
    name = admit(
        roster,
        "7",
        Payload(fields={**FIELDS, "site": f"moema{ESCAPE}" + "x" * 500, "package": ESCAPE}),
        Terms("t", {}),
    )
    assert name.startswith("moema?")
    assert clean(name)
    assert len(name) == 64
    assert clean(roster.packages["7"])


def test_a_version_that_differs_is_shown_as_text() -> None:
    with pytest.raises(CoordinatorError) as error:
        admit(Roster({}, {}), "7", Payload(fields={**FIELDS, "version": ESCAPE}), Terms("t", {}))
    assert "\x1b" not in str(error.value)


@pytest.mark.parametrize("field", ["round", "examples"])
def test_what_the_guard_quotes_of_an_update_is_short(field: str) -> None:
    fields = {"round": 1, "examples": 3} | {field: ESCAPE + "x" * 5000}
    problem = UpdateGuard(1.0, {"7": 3}).header_problem("7", Payload(fields=fields), 1)
    assert problem is not None
    assert clean(problem)
