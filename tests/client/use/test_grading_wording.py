"""What is said of thresholds and temperatures is said only where there are any."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from model_in_use import EASY

from client.use.decision import ASK, decide
from client.use.grading import Graded
from client.use.wording import promises
from shared_model.calibration import Calibration
from shared_model.evaluation import GRID
from shared_model.operating_points import OperatingPoints, Threshold

CASE = Graded(1, "r", "p", "x.jpg", "", "ask a person", (), ("image",), {"icdr": (1.0, 0.0, 0.0, 0.0, 0.0)})
NONE = OperatingPoints(*(Threshold(None, level, None, 7, "too few tell") for level in (0.9, 0.95, 0.9)))


def said(calibration: Calibration) -> str:
    finished = SimpleNamespace(artefact=SimpleNamespace(calibration=calibration), tasks=("icdr",))
    return " ".join(promises(finished, [CASE]))  # type: ignore[arg-type]


@pytest.mark.parametrize(("points", "any_threshold"), [(EASY, True), (NONE, False), (None, False)])
def test_thresholds_are_said_to_flatter_only_where_there_is_one(
    points: OperatingPoints | None, any_threshold: bool
) -> None:
    known = Calibration(points={} if points is None else {"icdr": {"image": points}})
    assert ("the thresholds were fixed on" in said(known)) is any_threshold


@pytest.mark.parametrize(
    ("calibration", "words"),
    [
        (Calibration(), "not fitted: fewer than 20 labelled validation photographs, 0 in all"),
        (
            Calibration({}, {"icdr": 9}),
            "not fitted: fewer than 20 labelled validation photographs, 9 in all",
        ),
        (Calibration({"icdr": 2.0}, {"icdr": 90}), "not fitted: no site told of this input"),
        (
            Calibration({}, {"icdr": 90}, {"icdr": 2.0}),
            "at a temperature of 2.00, fitted on 90 validation photographs.",
        ),
        (Calibration({}, {"icdr": 90}, {"icdr": GRID[0]}), "the edge of what was tried"),
    ],
)
def test_probabilities_are_called_calibrated_only_where_a_temperature_was_fitted(
    calibration: Calibration, words: str
) -> None:
    assert words in said(calibration)


def test_points_that_are_withheld_are_said_to_be_and_why() -> None:
    known = Calibration(points={"icdr": {"image": EASY}}).without_points("nobody knows whose they are")
    assert "operating points are not used, so a person is asked throughout: nobody knows whose" in said(known)
    decision, reasons = decide(0, 0.9, 0.0, known.points_of("icdr", "image"), (), known.withheld)
    assert (decision, [reason.kind for reason in reasons]) == (ASK, ["uncalibrated"])
    assert "nobody knows whose they are" in reasons[0].text
