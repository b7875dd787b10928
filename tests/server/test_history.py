from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from server.history import RoundRecord, Site, pooled_validation
from shared_model.exchange import Payload
from shared_model.metrics.grading import figures


def answer(examples: int, loss_sum: float, seed: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    confusion = {"icdr": random.integers(0, 9, (5, 5)).tolist(), "sdrg": np.zeros((5, 5), dtype=int).tolist()}
    return {"examples": examples, "loss_sum": loss_sum, "confusion": confusion}


def test_validation_pools_by_counts_not_by_sites() -> None:
    a, b = answer(1, 10.0, 0), answer(9, 0.0, 1)
    pooled = pooled_validation({"a": a, "b": b})
    assert pooled["loss"] == pytest.approx(1.0)
    summed = figures(np.array(a["confusion"]["icdr"]) + np.array(b["confusion"]["icdr"]))
    assert pooled["icdr"]["quadratic_weighted_kappa"] == summed["quadratic_weighted_kappa"]
    assert pooled["icdr"]["accuracy"] == summed["accuracy"]
    assert pooled == pooled_validation({"b": b, "a": a})


def test_what_nobody_could_validate_is_null() -> None:
    for pooled in (pooled_validation({}), pooled_validation({"a": answer(0, 0.0, 0)})):
        assert pooled["loss"] is None
    assert pooled_validation({"a": answer(1, 1.0, 0)})["sdrg"]["quadratic_weighted_kappa"] is None


def test_a_line_of_the_history_holds_the_contracts_keys() -> None:
    payload = Payload(
        {"w": np.zeros(5, dtype=np.float32)},
        {
            "examples": 3,
            "loss": 0.5,
            "losses": {"grading": 0.5},
            "loss_weights": {"grading": 1.0},
            "seconds": 2.0,
        },
    )
    record = RoundRecord("federated", 2, 1e-3, seconds=3.0, bytes_up=7, bytes_down=9)
    record.sites["trained"] = Site.of(payload.fields, payload.nbytes, 11)
    record.validations["validated"] = answer(2, 1.0, 0)
    private = {"loss": 0.0, "losses": {}, "loss_weights": {}, "seconds": 0.0}
    record.sites["private"] = Site.of(payload.fields | private, payload.nbytes, 11)
    line = json.loads(json.dumps(record.to_dict(), allow_nan=False))
    assert [line["sites"]["private"][key] for key in ("train_loss", "seconds")] == [None, None]
    assert set(line) == {
        "model", "round", "seconds", "learning_rate", "bytes_up", "bytes_down", "validation", "sites",
        "evaluation_bytes_up", "evaluation_bytes_down", "wire_up", "wire_down", "evaluation_wire_up",
        "evaluation_wire_down",
    }  # fmt: skip
    keys = {
        "examples", "train_loss", "losses", "loss_weights", "validation_loss", "validation", "seconds", "bytes_up",
        "bytes_down",
    }  # fmt: skip
    assert {frozenset(site) for site in line["sites"].values()} == {frozenset(keys)}
    assert line["sites"]["trained"]["bytes_up"] == payload.nbytes
    assert line["sites"]["trained"]["bytes_down"] == 11
    assert line["sites"]["trained"]["validation_loss"] is None
    assert line["sites"]["trained"]["seconds"] == 2.0
    assert line["sites"]["validated"]["validation_loss"] == 0.5
    assert line["sites"]["validated"]["train_loss"] is None
    assert set(line["sites"]["validated"]["validation"]) == {"icdr", "sdrg"}


def test_a_time_that_a_site_does_not_tell_is_none_and_not_a_quick_round() -> None:
    record = RoundRecord("federated", 1, 1e-3)
    record.sites["private"] = Site(3, 0.0, {}, {}, 0.0, 1, 1)
    assert record.to_dict()["sites"]["private"]["seconds"] is None
