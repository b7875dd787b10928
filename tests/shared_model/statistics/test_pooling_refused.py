"""Messages of round 0 keep every bit on their way, and what no site could send is refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from shared_model.errors import DataError
from shared_model.statistics import SiteStatistics, Standardisation, pool
from tests.shared_model.statistics.site_records import records, site_statistics


def test_no_answer_at_all_standardises_nothing() -> None:
    standardisation = pool([])
    assert standardisation.available == (False,) * 6
    assert standardisation.image_mean == (0.0,) * 3
    assert standardisation.image_std == (1.0,) * 3


def test_message_and_standardisation_survive_json_bit_for_bit() -> None:
    table = records([{"age": 20.1, "sex": 1.0, "icdr": 2, "split": "train"}, {"age": 33.3, "split": "train"}])
    message = site_statistics(table)
    assert SiteStatistics.from_dict(json.loads(json.dumps(message))).to_dict() == message
    standardisation = pool([message])
    again = Standardisation.from_dict(json.loads(json.dumps(standardisation.to_dict())))
    assert again == standardisation
    assert np.array_equal(again.apply(table)[0], standardisation.apply(table)[0])


def message() -> dict[str, Any]:
    return site_statistics(records([{"age": 20.0, "sex": 1.0, "icdr": 2, "split": "train"}]))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda m: m.pop("years"),
        lambda m: m["years"]["age"]["counts"].__setitem__(20, -1),
        lambda m: m["years"]["age"]["counts"].__setitem__(20, 1.5),
        lambda m: m["years"]["age"].update(sum=float("nan")),
        lambda m: m["years"]["age"].update(sum_of_squares="many"),
        lambda m: m["years"]["age"].update(counts=[1]),
        lambda m: m["flags"].update(sex=[1, 2, 3]),
        lambda m: m["flags"].update(sex="12"),
        lambda m: m["classes"]["icdr"]["counts"].__setitem__(0, True),
        lambda m: m["classes"].update(icdr=None),
        lambda m: m["classes"]["icdr"].update(starts=[0, 2, 1, 3, 4]),
        lambda m: m["classes"]["icdr"].update(starts=[1, 2], counts=[0, 1]),
        lambda m: m["classes"]["icdr"].update(starts=[0, 5], counts=[0, 1]),
        lambda m: m["classes"]["icdr"].update(starts=[], counts=[]),
        lambda m: m["classes"]["icdr"]["counts"].__setitem__(0, 10**400),
        lambda m: m["classes"]["icdr"]["counts"].__setitem__(0, float("inf")),
        lambda m: m["classes"]["icdr"]["counts"].__setitem__(0, 7),
        lambda m: m["findings"].pop("scar"),
        lambda m: m["absent"].update(age="refused"),
        lambda m: m["absent"].pop("image_channels"),
        lambda m: m["absent"].update(image_channels="Joao has amd"),
        lambda m: m.update(absent=None),
        lambda m: m.update(patients=2),
        lambda m: m.update(notes=2),
        lambda m: m.update(epsilon=-1.0),
        lambda m: m.update(schema="unlike a fingerprint"),
        lambda m: m["years"]["age"].update(sum=1e9),
        lambda m: m.update(photographs={"pixels": 1, "sum": [2.0] * 3, "sum_of_squares": [0.0] * 3}),
        lambda m: m.update(photographs={"pixels": 1, "sum": [0.0], "sum_of_squares": [0.0] * 3}),
        lambda m: m.update(records="all"),
    ],
)
def test_an_answer_no_site_could_truthfully_send_is_refused(spoil: Any) -> None:
    answer = message()
    spoil(answer)
    with pytest.raises(DataError, match="cannot be understood") as caught:
        pool([answer])
    assert caught.value.where == "round 0, site 000000"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.pop("mean"),
        lambda d: d.update(std=[0.0] * 6),
        lambda d: d.update(image_std=[1.0, 1.0]),
        lambda d: d.update(impute=[float("inf")] * 6),
        lambda d: d["class_counts"].pop("icdr"),
    ],
)
def test_a_malformed_standardisation_is_refused(spoil: Any) -> None:
    described = pool([message()]).to_dict()
    spoil(described)
    with pytest.raises(DataError, match="cannot be understood"):
        Standardisation.from_dict(described)
