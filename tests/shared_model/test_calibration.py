"""model/calibration.json: what was fitted comes back, the first version is read, what no fit could write is refused."""

from __future__ import annotations

import copy
import json

import pytest

from shared_model.calibration import Calibration
from shared_model.errors import DataError
from shared_model.operating_points import OperatingPoints, Threshold

POINTS = OperatingPoints(
    Threshold(None, 0.9, None, 12, "too few"), Threshold(0.2, 0.95, 0.96, 50), Threshold(0.6, 0.9, 0.9, 70)
)
WHOLE = Calibration(
    {"icdr": 1.5}, {"icdr": 80}, {"icdr": 0.7}, {"icdr": {"image": POINTS}, "sdrg": {"all": POINTS}}
)


def test_what_was_fitted_comes_back() -> None:
    again = Calibration.from_dict(json.loads(json.dumps(WHOLE.to_dict(), allow_nan=False)))
    assert again == WHOLE
    assert (again.of("icdr"), again.of("icdr", "image"), again.of("sdrg", "image")) == (1.5, 0.7, 1.0)
    assert again.points_of("icdr", "image") == POINTS
    assert again.points_of("icdr", "all") is None
    assert Calibration().points_of("icdr", "all") is None


def test_the_first_version_is_temperatures_alone() -> None:
    told = {"schema": "fedfundus.calibration/1", "temperature": {"icdr": 2.0}, "examples": {"icdr": 9}}
    found = Calibration.from_dict(told)
    assert (found.of("icdr"), found.of("icdr", "image"), dict(found.points)) == (2.0, 1.0, {})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), "fedfundus.calibration/3"),
        (("points", "other"), {}),
        (("points", "icdr", "note"), POINTS.to_dict()),
        (("points", "icdr", "image", "clear", "threshold"), 1.2),
        (("points", "icdr", "image", "clear", "threshold"), float("nan")),
        (("points", "icdr", "image", "clear", "threshold"), None),
        (("points", "icdr", "image", "clear", "unavailable"), "why"),
        (("points", "icdr", "image", "confidence", "threshold"), 0.5),
        (("points", "icdr", "image", "refer", "level"), 0),
        (("points", "icdr", "image", "refer", "n"), -1),
        (("image_temperature", "icdr"), 0),
    ],
)
def test_what_no_fit_could_have_written_is_refused_by_name(path: tuple[str, ...], value: object) -> None:
    message = copy.deepcopy(WHOLE.to_dict())
    place = message
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    with pytest.raises(DataError, match=r"cannot be understood[\s\S]*calibration\.json"):
        Calibration.from_dict(message)
