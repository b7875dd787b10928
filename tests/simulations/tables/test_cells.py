from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from scipy import stats

from simulations.tables.cells import cell, over_seeds
from simulations.tables.contents import CONTENTS, Part, numbers_of

KAPPA = Part("kappa", "icdr.kappa", share=False)
RECALL = Part("recall", "found.recall")


def model(kappa: float | None = None, recall: float | None = None, ceiling: float = 0.5) -> Mapping[str, Any]:
    figures = {
        "icdr": {"kappa": kappa, "intervals": {"kappa": [0.1, 0.3]}},
        "found": {"recall": recall, "ceiling": ceiling},
    }
    return {"figures": figures, "majority": {"icdr": {"kappa": 0.0}}}


def test_one_seed_has_the_interval_over_patients_and_more_have_students() -> None:
    assert cell(KAPPA, [[model(0.2)]]).interval == (0.1, 0.3)
    values = [0.2, 0.3, 0.7]
    found = cell(KAPPA, [[model(value)] for value in values])
    assert found.value == pytest.approx(0.4)
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert over_seeds(values) == pytest.approx((expected.low, expected.high))
    assert found.interval == (pytest.approx(expected.low), 1.0)  # a kappa does not go beyond 1
    assert over_seeds([0.2]) is None
    assert over_seeds([0.2, 0.2, 0.2]) is None  # seeds that agree by chance are no certainty


def test_each_site_alone_is_their_mean_and_absent_figures_stay_absent() -> None:
    assert cell(KAPPA, [[model(0.2), model(0.4)]]).value == pytest.approx(0.3)
    assert cell(KAPPA, [[model(0.2), model(None)]]).value == pytest.approx(0.2)
    absent = cell(KAPPA, [[model(None)], [model(None)]])
    assert (absent.value, absent.text()) == (None, "not available")
    assert cell(Part("x", "icdr.no.such"), [[model(0.2)]]).value is None
    assert cell(Part("m", "icdr.kappa", "majority", share=False), [[model(0.2)]]).value == 0.0


def test_a_mean_over_some_of_the_models_says_of_how_many() -> None:
    found = cell(KAPPA, [[model(0.2)], [None], [model(0.4)]])
    assert (found.value, found.seeds, found.models) == (pytest.approx(0.3), (0.2, None, 0.4), (2, 3))
    assert found.partly() == "2 of 3 seeds"
    assert cell(KAPPA, [[model(0.2)], [model(None)], [model(0.4)]]).partly() == "2 of 3 seeds"
    last = cell(KAPPA, [[None], [model(0.2)], [None]])
    assert (last.interval, last.partly()) == ((0.1, 0.3), "1 of 3 seeds, interval over patients")
    sites = cell(KAPPA, [[model(0.2), model(0.4)], [model(0.3), None]])
    assert (sites.value, sites.partly()) == (pytest.approx(0.3), "3 of 4 models")
    assert cell(KAPPA, [[None], [None]]).text() == "not available"
    assert [cell(KAPPA, models).partly() for models in ([[None]], [[model(0.2)]])] == ["", ""]


def test_shares_are_percentages_and_ratios_are_of_one_model() -> None:
    assert cell(RECALL, [[model(recall=0.0123)]]).text() == "1.23"
    assert cell(RECALL, [[model(recall=0.5)]]).text() == "50.0"
    ratio = Part("share", "found.recall", over="found.ceiling")
    assert cell(ratio, [[model(recall=0.2, ceiling=0.5)]]).value == pytest.approx(0.4)
    assert cell(ratio, [[model(recall=0.2, ceiling=0.0)]]).value is None
    assert np.isfinite(cell(ratio, [[model(recall=0.2)], [model(recall=0.3)]]).interval or np.nan).all()


def test_every_printed_figure_belongs_to_a_row_of_its_table() -> None:
    assert numbers_of("all") == [1, 2, 3, 4, 5, 6] == numbers_of("6,5,4,3,2,1")
    for contents in CONTENTS.values():
        for column in contents.columns:
            assert set(column.printed or {}) <= set(contents.rows)
            assert bool(column.parts) != (column.printed is not None)
