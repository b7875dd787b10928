"""A model is held against the site's own grades, and believed no longer where they disprove it."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest

from client.use.decision import ASK, CLEAR, REFER
from client.use.grading import Graded
from client.use.own_grades import FLOOR, OwnGrades, promises_kept, taken_back
from client.use.wording import own_grades

_NUMBER = count()


def case(
    decision: str, grade: int, own: int | None, *, patient: str | None = None, given: str = "image"
) -> Graded:
    """One photograph of a patient of its own, unless one is named; patient "": nobody knows whose."""
    name, inputs = f"p{next(_NUMBER)}", ("image",) if given == "image" else ("image", "text")
    scores = {"icdr": tuple(np.eye(5)[grade].tolist())}
    whose = name if patient is None else patient
    return Graded(1, name, whose, "x.jpg", "", decision, (), inputs, scores, own)


def many(n: int, *about: object, **more: object) -> list[Graded]:
    return [case(*about, **more) for _ in range(n)]


def decided(cases: list[Graded], own: OwnGrades, **more: bool) -> list[str]:
    return [one.decision for one in taken_back(cases, own, **more)]


def test_a_model_that_clears_those_who_need_referral_here_decides_nothing_here() -> None:
    cases = many(30, CLEAR, 0, 3) + many(30, REFER, 3, 3) + many(60, CLEAR, 0, 0)
    kept = promises_kept(cases, "icdr")
    told = [(p.kept, p.n, p.broken) for p in kept.inputs[0].promises]
    assert told == [(30, 60, True), (60, 60, False), (90, 120, True)]
    found = taken_back(cases, kept)
    assert {one.decision for one in found} == {ASK}
    assert {reason.kind for one in found for reason in one.reasons} == {"disproved"}
    assert "does not keep its word here" in own_grades(kept)[0]


@pytest.mark.parametrize(
    "cases",
    [
        # 93 % of 43: may be chance
        many(60, CLEAR, 0, 0) + many(40, REFER, 3, 3) + many(3, CLEAR, 0, 2),
        many(19, CLEAR, 0, 3),  # too few to say
        many(90, ASK, 0, 3),  # nothing was decided, so nothing is wrong
    ],
)
def test_what_may_be_chance_disproves_nothing(cases: list[Graded]) -> None:
    kept = promises_kept(cases, "icdr")
    assert not kept.broken
    assert taken_back(cases, kept, clear_unproven=True) == cases


@pytest.mark.parametrize(
    ("own", "seen"),
    [
        ([], False),
        (many(19, REFER, 3, 3) + many(90, CLEAR, 0, 0), False),
        (many(20, REFER, 3, 3), True),
        (many(19, REFER, 3, 3) + many(1, CLEAR, 0, 3), False),  # 95 % of 20: 75 % are sure
        (many(28, REFER, 3, 3) + many(1, CLEAR, 0, 3), True),
        (many(120, ASK, 0, 3), False),  # never held against a grade
        (many(120, ASK, 0, 3) + many(19, REFER, 3, 3), False),
        (many(60, REFER, 3, 3, patient="one"), False),  # photographs of one patient
        (many(20, REFER, 3, 3, patient=""), True),  # whose patient no record names
    ],
)
def test_nobody_is_cleared_where_nothing_shows_that_the_sick_are_found_unless_a_person_says_so(
    own: list[Graded], seen: bool
) -> None:
    cases = [*own, case(CLEAR, 0, None), case(REFER, 3, None), case(ASK, 2, None)]
    kept = promises_kept(cases, "icdr")
    assert decided(cases, kept)[-3:] == [CLEAR if seen else ASK, REFER, ASK]
    assert ("clears nobody" in own_grades(kept)[0]) is not seen
    assert taken_back(cases, kept, clear_unproven=True) == cases


def test_a_patient_is_found_only_where_no_referable_photograph_of_theirs_is_cleared() -> None:
    cases = [one for p in range(20) for one in many(2, REFER, 3, 3, patient=f"patient {p}")]
    assert promises_kept(cases, "icdr").inputs[0].proven
    found = promises_kept([*cases, case(CLEAR, 0, 2, patient="patient 7")], "icdr").inputs[0].found
    assert (found.kept, found.n) == (19, 20)
    assert found.interval[0] < FLOOR
    assert "95 % interval 75% to 100%" in found.sentence()


def test_what_was_decided_from_one_input_proves_nothing_of_another() -> None:
    """120 rows with notes and grades, all for a person, and 56 photographs in no row: none of these is cleared."""
    rows = many(120, ASK, 3, 3, given="all")
    bare = many(56, CLEAR, 0, None, patient="")
    kept = promises_kept([*rows, *bare], "icdr")
    assert set(decided([*rows, *bare], kept)) == {ASK}
    proven = many(40, REFER, 3, 3, given="all") + many(1, CLEAR, 0, None, given="all")
    kept = promises_kept([*proven, *bare], "icdr")
    assert decided([*proven, *bare], kept) == [*[REFER] * 40, CLEAR, *[ASK] * 56]
    assert "Read from the photograph alone: Nothing shows" in own_grades(kept)[0]


def test_a_promise_is_broken_from_its_own_input_and_nobody_is_cleared_on_demand_from_the_other() -> None:
    cases = many(40, CLEAR, 0, 3, given="all") + many(1, REFER, 3, None) + many(1, CLEAR, 0, None)
    kept = promises_kept(cases, "icdr")
    for asked in (False, True):
        assert decided(cases, kept, clear_unproven=asked) == [*[ASK] * 40, REFER, ASK]
    assert "--clear-unproven" not in own_grades(kept)[0]


def test_patients_a_run_learnt_from_prove_nothing() -> None:
    cases = many(30, REFER, 3, 3) + many(1, CLEAR, 0, None)
    learnt = {one.patient for one in cases[:11]}
    kept = promises_kept(cases, "icdr", learnt)
    assert (kept.left_out, kept.inputs[0].found.n) == (11, 19)
    assert decided(cases, kept)[-1] == ASK
    assert (
        "11 graded photographs of patients whom runs at this site train or validate on"
        in own_grades(kept)[-1]
    )
    assert decided(cases, promises_kept(cases, "icdr", ()))[-1] == CLEAR


def test_where_nobody_can_tell_whom_it_learnt_from_that_is_said() -> None:
    said = own_grades(promises_kept(many(30, REFER, 3, 3), "icdr"))
    assert "cannot be known here" in said[-1]
    assert "95 % interval 88% to 100%" in said[1]


def test_without_grades_of_its_own_nothing_is_known_of_this_site_and_that_is_said() -> None:
    kept = promises_kept(many(90, CLEAR, 0, None), "icdr")
    assert not kept.inputs[0].graded
    assert own_grades(kept) == [own_grades(kept)[0]]
    assert own_grades(kept)[0].startswith("Nothing shows that this model keeps its word")
