"""Refer, do not refer, or ask a person: what becomes of one photograph, and why a person is asked.

A person is asked whenever anything speaks against the model's answer: the photograph, the missing calibration, a grade
that is not sure enough, a probability between the two operating points. Only what is left is decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared_model.metrics.referable import REFERABLE
from shared_model.operating_points import OperatingPoints

REFER, CLEAR, ASK = "refer", "do not refer", "ask a person"
DECISIONS = (REFER, CLEAR, ASK)

# Kind of a reason -> what it is called where cases are counted.
KINDS = {
    "unreadable": "the photograph cannot be read",
    "set_aside": "its row of the table cannot be used",
    "blank": "seems to show nothing",
    "dark": "seems too dark",
    "not_fundus": "does not look like a colour photograph of a retina",
    "no_number": "the model gave no number",
    "uncalibrated": "the model has no operating points",
    "no_threshold": "no confidence is known at which its grades hold",
    "unsure": "not sure enough of the grade",
    "borderline": "between the operating points",
    "no_point": "there is no operating point on its side",
    "contradictory": "a referable grade, but a probability to clear it",
    "disproved": "the site's own grades disprove the model",
    "unproven": "nothing shows that it finds those who need referral here",
}
LOST = ("unreadable", "set_aside")  # no grade at all


@dataclass(frozen=True)
class Reason:
    """Why a person is asked. kind: one of KINDS; text: the same for this photograph."""

    kind: str
    text: str


def decide(
    grade: int,
    confidence: float,
    referable: float,
    points: OperatingPoints | None,
    against: Sequence[Reason] = (),
    withheld: str | None = None,
) -> tuple[str, tuple[Reason, ...]]:
    """The decision, one of DECISIONS, and every reason to ask a person.

    grade: the most probable one. confidence: of it; referable: probability of grade 2 or above; both calibrated.
    points: of the same task and input, None where the model has none. against: what speaks against the photograph
    itself. withheld: why the model's points are not used, where it has some. A grade of 2 or above is never cleared; a
    lower one may be referred, which is the safe side.
    """
    reasons = list(against)
    if points is None:
        why = f": {withheld}" if withheld else ""
        reasons.append(Reason("uncalibrated", f"the model has no operating points for this input{why}"))
        return ASK, tuple(reasons)
    reasons += _unsure(confidence, points)
    side = _side(referable, points)
    if side is None:
        reasons.append(_borderline(referable, points))
    elif side == CLEAR and grade >= REFERABLE:
        reasons.append(
            Reason("contradictory", f"grade {grade} is to be referred, but its probability would clear it")
        )
    return (ASK if reasons or side is None else side), tuple(reasons)


def _unsure(confidence: float, points: OperatingPoints) -> list[Reason]:
    needed = points.confidence.threshold
    if needed is None:
        return [Reason("no_threshold", str(points.confidence.unavailable))]
    if confidence >= needed:
        return []
    return [Reason("unsure", f"confidence {confidence:.3f}, a person is asked below {needed:.3f}")]


def _side(referable: float, points: OperatingPoints) -> str | None:
    """Which side of the operating points a probability is on; None between them, or where one that it needs is missing.

    Where one threshold keeps both promises, the lower of those that do divides: it misses fewest.
    """
    clear, refer = points.clear.threshold, points.refer.threshold
    if clear is not None and refer is not None and refer <= clear:
        return REFER if referable >= refer else CLEAR
    if refer is not None and referable >= refer:
        return REFER
    return CLEAR if clear is not None and referable < clear else None


def _borderline(referable: float, points: OperatingPoints) -> Reason:
    clear, refer = points.clear.threshold, points.refer.threshold
    said = f"referable probability {referable:.3f}"
    if clear is not None and refer is not None:
        return Reason("borderline", f"{said}, between {clear:.3f} and {refer:.3f}")
    missing = points.clear if clear is None else points.refer
    return Reason("no_point", f"{said}, and on this side there is no operating point: {missing.unavailable}")
