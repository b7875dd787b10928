"""Three answers and no fourth; whatever speaks against the model's answer makes it a person's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.use.decision import ASK, CLEAR, DECISIONS, REFER, Reason, decide
from shared_model.operating_points import OperatingPoints, Threshold


def points(confidence: float | None, clear: float | None, refer: float | None) -> OperatingPoints:
    return OperatingPoints(
        *(
            Threshold(
                value, 0.9, None if value is None else 0.92, 50, "nobody said" if value is None else None
            )
            for value in (confidence, clear, refer)
        )
    )


APART = points(0.6, 0.2, 0.5)


@pytest.mark.parametrize(
    ("confidence", "referable", "decision", "kinds"),
    [
        (0.9, 0.5, REFER, []),
        (0.9, 0.4999, ASK, ["borderline"]),
        (0.9, 0.2, ASK, ["borderline"]),
        (0.9, 0.1999, CLEAR, []),
        (0.6, 0.9, REFER, []),
        (0.5999, 0.9, ASK, ["unsure"]),
        (0.5, 0.3, ASK, ["unsure", "borderline"]),
    ],
)
def test_a_threshold_itself_is_on_the_sure_side(confidence, referable, decision, kinds) -> None:
    found, reasons = decide(1, confidence, referable, APART)
    assert (found, [reason.kind for reason in reasons]) == (decision, kinds)


def test_where_one_threshold_keeps_both_promises_nothing_is_between() -> None:
    crossed = points(0.0, 0.7, 0.4)
    assert [decide(1, 1.0, at, crossed)[0] for at in (0.39, 0.4, 0.6, 0.8)] == [CLEAR, REFER, REFER, REFER]


@pytest.mark.parametrize(
    ("known", "referable", "kind"),
    [
        (None, 0.9, "uncalibrated"),
        (points(None, 0.2, 0.5), 0.9, "no_threshold"),
        (points(0.0, None, 0.5), 0.1, "no_point"),
        (points(0.0, 0.2, None), 0.9, "no_point"),
        (points(0.0, None, None), 0.9, "no_point"),
    ],
)
def test_without_the_point_it_needs_a_person_is_asked_and_told_why(known, referable, kind) -> None:
    decision, reasons = decide(1, 0.99, referable, known)
    assert decision == ASK
    assert [reason.kind for reason in reasons] == [kind]


def test_one_side_alone_can_be_decided() -> None:
    assert decide(1, 0.99, 0.6, points(0.0, None, 0.5))[0] == REFER
    assert decide(1, 0.99, 0.1, points(0.0, 0.2, None))[0] == CLEAR


def test_a_referable_grade_is_never_cleared_and_a_lower_one_may_be_referred() -> None:
    lenient = points(0.0, 0.99, None)
    decision, reasons = decide(2, 0.5, 0.6, lenient)
    assert (decision, [reason.kind for reason in reasons]) == (ASK, ["contradictory"])
    assert decide(1, 0.5, 0.4, lenient) == (CLEAR, ())
    assert decide(1, 0.4, 0.6, points(0.0, None, 0.5)) == (REFER, ())


SHARE = st.floats(0, 1)
MAYBE = st.one_of(st.none(), SHARE)


@given(st.integers(0, 4), SHARE, SHARE, MAYBE, MAYBE, MAYBE, st.booleans())
def test_a_decision_is_one_of_three_and_a_person_is_asked_exactly_where_there_is_a_reason(
    grade, confidence, referable, needed, clear, refer, blank
) -> None:
    against = [Reason("blank", "seems to show nothing")] if blank else []
    decision, reasons = decide(grade, confidence, referable, points(needed, clear, refer), against)
    assert decision in DECISIONS
    assert (decision == ASK) == bool(reasons)
    if decision != ASK:
        assert confidence >= needed
        assert referable >= refer if decision == REFER else (referable < clear and grade < 2)
