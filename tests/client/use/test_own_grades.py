"""A model is held against the site's own grades, and believed no longer where they disprove it."""

from __future__ import annotations

import numpy as np
import pytest

from client.use.decision import ASK, CLEAR, REFER
from client.use.grading import Graded
from client.use.own_grades import promises_kept, taken_back
from client.use.wording import own_grades


def case(decision: str, grade: int, own: int | None) -> Graded:
    return Graded(
        1, "r", "p", "x.jpg", "", decision, (), ("image",), {"icdr": tuple(np.eye(5)[grade].tolist())}, own
    )


def test_a_model_that_clears_those_who_need_referral_here_decides_nothing_here() -> None:
    cases = [case(CLEAR, 0, 3)] * 30 + [case(REFER, 3, 3)] * 30 + [case(CLEAR, 0, 0)] * 60
    kept = promises_kept(cases, "icdr")
    assert [(p.kept, p.n, p.broken) for p in kept] == [(30, 60, True), (60, 60, False), (90, 120, True)]
    found = taken_back(cases, kept)
    assert {one.decision for one in found} == {ASK}
    assert {reason.kind for one in found for reason in one.reasons} == {"disproved"}
    assert "does not keep its word here" in own_grades(kept)[0]


@pytest.mark.parametrize(
    "cases",
    [
        [case(CLEAR, 0, 0)] * 60
        + [case(REFER, 3, 3)] * 40
        + [case(CLEAR, 0, 2)] * 3,  # 93 % of 43: may be chance
        [case(CLEAR, 0, 3)] * 19,  # too few to say
        [case(ASK, 0, 3)] * 90,  # nothing was decided, so nothing is wrong
    ],
)
def test_what_may_be_chance_disproves_nothing(cases: list[Graded]) -> None:
    kept = promises_kept(cases, "icdr")
    assert not any(promise.broken for promise in kept)
    assert taken_back(cases, kept, clear_unproven=True) == cases


@pytest.mark.parametrize(
    ("own", "seen"),
    [
        ([], False),
        ([case(REFER, 3, 3)] * 19 + [case(CLEAR, 0, 0)] * 90, False),
        ([case(REFER, 3, 3)] * 20, True),
    ],
)
def test_nobody_is_cleared_where_nothing_shows_that_the_sick_are_found_unless_a_person_says_so(
    own: list[Graded], seen: bool
) -> None:
    cases = [*own, case(CLEAR, 0, None), case(REFER, 3, None), case(ASK, 2, None)]
    kept = promises_kept(cases, "icdr")
    decided = [one.decision for one in taken_back(cases, kept)[-3:]]
    assert decided == [CLEAR if seen else ASK, REFER, ASK]
    assert ("clears nobody" in own_grades(kept)[0]) is not seen
    assert taken_back(cases, kept, clear_unproven=True) == cases


def test_without_grades_of_its_own_nothing_is_known_of_this_site_and_that_is_said() -> None:
    cases = [case(CLEAR, 0, None)] * 90
    assert promises_kept(cases, "icdr") == []
    assert own_grades([])[0].startswith("Nothing shows that this model keeps its word")
