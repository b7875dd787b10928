from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from server.guard import UpdateGuard
from shared_model.exchange import Payload
from shared_model.exchange.parameters import Arrays

MakeUpdate = Callable[..., Payload]


@pytest.fixture
def guard() -> UpdateGuard:
    return UpdateGuard(norm_bound=10.0, registered={"a": 7, "b": 1})


def test_an_honest_update_passes(guard: UpdateGuard, honest_update: MakeUpdate, base: Arrays) -> None:
    near = {name: array + np.float32(0.1) for name, array in base.items()}
    assert guard.problem("a", honest_update(3, 7, near), base, 3) is None


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_tensor_that_is_no_number_is_refused(
    value: float, guard: UpdateGuard, honest_update: MakeUpdate, base: Arrays
) -> None:
    bad = {**base, "model.b": base["model.b"].copy()}
    bad["model.b"][2] = value
    assert guard.problem("a", honest_update(3, 7, bad), base, 3) == "model.b holds NaN or infinity"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda b: {"model.a": b["model.a"]}, "holds 1 tensors that are not the 2 expected"),
        (lambda b: {**b, "model.c": b["model.b"]}, "holds 3 tensors"),
        (lambda b: {"model.a": b["model.a"], "model.x": b["model.b"]}, "not the 2 expected"),
        (lambda b: {**b, "model.b": b["model.b"][:4]}, r"model.b has shape (4,), expected (5,)"),
        (lambda b: {**b, "model.a": b["model.a"].T}, "model.a has shape (4, 3)"),
        (lambda b: {**b, "model.b": b["model.b"][:1]}, "model.b has shape (1,)"),  # it would broadcast
        (lambda b: {**b, "model.b": b["model.b"].astype(np.float64)}, "model.b is float64, expected float32"),
        (lambda b: {**b, "model.b": b["model.b"].astype(np.int32)}, "model.b is int32"),
        (lambda b: {**b, "model.b": np.array(["x"] * 5)}, "expected float32"),
        (lambda b: {**b, "model.b": b["model.b"] * np.float32(1e6)}, "passes the bound 10"),
        (lambda b: {name: a + np.float32(3) for name, a in b.items()}, "passes the bound 10"),  # only in sum
        (lambda b: {**b, "model.b": np.full(5, 3e38, dtype=np.float32)}, "passes the bound 10"),
    ],
)
def test_tensors_that_do_not_fit_are_refused_with_the_reason(
    change: Callable[[Arrays], Arrays],
    words: str,
    guard: UpdateGuard,
    honest_update: MakeUpdate,
    base: Arrays,
) -> None:
    reason = guard.problem("a", honest_update(3, 7, change(base)), base, 3)
    assert reason is not None
    assert words in reason


@pytest.mark.parametrize("examples", [-9, 0, 10**9, 8, 7.0, "7", None, [7]])
def test_a_count_that_was_not_registered_is_refused(
    examples: Any, guard: UpdateGuard, honest_update: MakeUpdate, base: Arrays
) -> None:
    reason = guard.problem("a", honest_update(3, examples, base), base, 3)
    assert reason == f"counts {examples!r} examples, registered were 7"


def test_a_site_that_never_joined_is_refused(
    guard: UpdateGuard, honest_update: MakeUpdate, base: Arrays
) -> None:
    assert "registered were None" in str(guard.problem("z", honest_update(3, 7, base), base, 3))


@pytest.mark.parametrize("number", [2, 4, None, "3"])
def test_an_update_of_another_round_is_refused(
    number: Any, guard: UpdateGuard, honest_update: MakeUpdate, base: Arrays
) -> None:
    assert guard.problem("a", honest_update(number, 7, base), base, 3) == f"answers round {number!r}, not 3"


SQUARE = [[0] * 5 for _ in range(5)]
GOOD = {"examples": 1, "loss_sum": 1.0, "confusion": {"icdr": SQUARE, "sdrg": SQUARE}}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("loss", None),
        ("loss", float("nan")),
        ("loss", "1.0"),
        ("loss", 10**400),
        ("losses", {"grading": -(10**400)}),
        ("validation", {**GOOD, "loss_sum": 10**400}),
        ("validation", {**GOOD, "examples": 10**400}),
        ("seconds", []),
        ("losses", None),
        ("losses", {"a patient": 1.0}),
        ("losses", {"grading": float("inf")}),
        ("loss_weights", {"grading": "<script>"}),
        ("validation", None),
        ("validation", {}),
        ("validation", {**GOOD, "examples": -1}),
        ("validation", {**GOOD, "examples": 2**40}),
        ("validation", {**GOOD, "loss_sum": float("nan")}),
        ("validation", {**GOOD, "confusion": {"icdr": SQUARE}}),
        ("validation", {**GOOD, "confusion": {"icdr": SQUARE, "sdrg": SQUARE[:4]}}),
        ("validation", {**GOOD, "confusion": {"icdr": SQUARE, "sdrg": [[0.5] * 5] * 5}}),
        ("validation", {**GOOD, "confusion": {"icdr": [[-1] * 5] * 5, "sdrg": SQUARE}}),
    ],
)
def test_a_report_that_cannot_be_recorded_is_refused(
    field: str, value: Any, guard: UpdateGuard, honest_update: MakeUpdate, base: Arrays
) -> None:
    assert guard.problem("a", honest_update(3, 7, base, **{field: value}), base, 3)
    update = honest_update(3, 7, base)
    del update.fields[field]
    assert guard.problem("a", update, base, 3)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("model.a", "not a list"),
        ([1], "not a list"),
        (["model.c"], "not a list of the expected"),
        (["model.a", "model.b"], "did not train model.b, which has changed"),
    ],
)
def test_a_false_word_on_what_was_not_trained_is_refused(
    names: Any, words: str, guard: UpdateGuard, honest_update: MakeUpdate, base: Arrays
) -> None:
    moved = {**base, "model.b": base["model.b"] + np.float32(0.1)}
    reason = guard.problem("a", honest_update(3, 7, moved, untrained=names), base, 3)
    assert reason is not None
    assert words in reason
    assert guard.problem("a", honest_update(3, 7, moved, untrained=["model.a"]), base, 3) is None
