"""What `describe` prints is what leaves, in words."""

from __future__ import annotations

import json
from collections.abc import Callable

import pandas as pd
import pytest

from client.statistics.describe import render
from client.statistics.policy import OPEN, Policy
from client.statistics.site_answer import site_answer
from shared_model.errors import DataError
from shared_model.statistics import SiteStatistics

MakeRecords = Callable[..., pd.DataFrame]


@pytest.fixture
def table(make_records: MakeRecords) -> pd.DataFrame:
    return make_records(
        40,
        age=[50.0] * 20 + [60.0] * 19 + [None],
        sex=[1.0] * 38 + [0.0] * 2,
        icdr=[0] * 30 + [4] * 10,
        note=["A scar."] * 40,
    )


def test_every_figure_of_an_answer_is_in_its_description(table: pd.DataFrame) -> None:
    for policy in (OPEN, Policy(minimum_cell=5), Policy(minimum_cell=5, epsilon=1.0)):
        answer = site_answer(table, None, policy)
        text = render(answer)
        for name, counts in SiteStatistics.from_dict(answer).tables().items():
            assert name.removeprefix("finding_").replace("_", " ") in text.lower()
            assert all(str(count) in text for count in counts.counts)
        assert answer["schema"] in text


def test_it_says_what_was_merged_withheld_and_refused_and_why(table: pd.DataFrame) -> None:
    text = render(site_answer(table, None, Policy(5, frozenset({"records", "structured", "grades"}))))
    assert "No count below rests on fewer than 5 patients" in text
    assert "female or male: 40" in text
    assert "0: 30, 1 to 4: 10" in text
    assert "0 to 50: " in text
    assert "5 of 40 photographs without it, some perhaps held back" in text
    lines = {line[:36].strip(): line[36:] for line in text.splitlines()}
    assert lines["SDRG"] == "not told: it would rest on fewer patients than the site's minimum"
    assert lines["finding scar"] == "not told: the site's policy does not answer this"
    assert lines["training patients"].startswith("not told: beside the number of photographs")
    assert lines["training photographs"] == "40"


def test_exact_and_noisy_answers_say_so(table: pd.DataFrame) -> None:
    assert render(site_answer(table, None, OPEN)).startswith("Exact counts")
    assert "privacy budget 1.5" in render(site_answer(table, None, Policy(epsilon=1.5)))


def test_something_else_is_not_described() -> None:
    with pytest.raises(DataError, match="cannot be understood"):
        render(json.loads('{"records": 3}'))
