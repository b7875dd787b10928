"""A temperature of a handful of photographs is luck, so there is none, and one at the edge of the grid is named."""

from __future__ import annotations

import pytest

from client.evaluation import temperature_answer
from client.statistics.policy import OPEN
from server.evaluation import fit_temperature
from shared_model.calibration import Calibration
from shared_model.evaluation import GRID
from simulations.judgement import verdict
from tests.server.evaluation.test_points import predictions

GUARD = {"passed": True}


def fitted(size: int, noise: float = 1.0) -> Calibration:
    return fit_temperature([temperature_answer(predictions(size, noise=noise), OPEN)])


def warnings(calibration: Calibration) -> list[str]:
    return verdict(GUARD, calibration.temperature, predictions(30), [calibration])["warnings"]


@pytest.mark.parametrize(("size", "known"), [(19, False), (20, True)])
def test_fewer_than_twenty_photographs_give_no_temperature_and_the_reason(size: int, known: bool) -> None:
    calibration = fitted(size)
    assert calibration.examples == {"icdr": size}
    for given, of in (("all", calibration.temperature), ("image", calibration.image_temperature)):
        assert ("icdr" in of) is known
        why = calibration.why_unfitted("icdr", given)
        assert (why is None) is known
        assert known or why == "not fitted: fewer than 20 labelled validation photographs, 19 in all"
    said = [warning for warning in warnings(calibration) if "No temperature was fitted for ICDR" in warning]
    assert bool(said) is not known
    assert known or "(not fitted: fewer than 20 labelled validation photographs, 19 in all)" in said[0]


def test_twenty_of_several_sites_are_twenty() -> None:
    answers = [temperature_answer(predictions(10, seed=seed), OPEN) for seed in (1, 2)]
    assert fit_temperature(answers).why_unfitted("icdr") is None


def test_a_temperature_at_the_edge_of_the_grid_is_warned_of() -> None:
    calibration = fitted(60, noise=60.0)
    assert calibration.of("icdr") == GRID[-1]
    assert calibration.at_edge("icdr")
    assert any("temperature of ICDR lies at the edge" in warning for warning in warnings(calibration))
    inside = fitted(900)
    assert not inside.at_edge("icdr")
    assert warnings(inside) == ["SDRG is not available: no record has a label."]
