"""The leak guard: passes on the model as it is, fails on one that leaks, says so when it cannot run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from client.data.images import ImageStore
from client.inference import guard as guard_module
from client.inference.guard import LIMIT, retrieval_guard
from client.inference.predict import predict
from shared_model.losses import Objective
from shared_model.metrics.predictions import Predictions
from shared_model.model import FusionModel, Tokenizer
from shared_model.statistics import Standardisation

Guard = Callable[..., dict[str, Any]]


@pytest.fixture
def guard(
    small_objective: Callable[..., Objective],
    records: pd.DataFrame,
    images: ImageStore,
    tokenizer: Tokenizer,
    standardisation: Standardisation,
) -> Guard:
    model: FusionModel = small_objective(seed=5).model

    def run(table: pd.DataFrame = records, batch_size: int = 7) -> dict[str, Any]:
        return retrieval_guard(model, table, images, tokenizer, standardisation, batch_size=batch_size)

    return run


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_no_unimodal_vector_changes_with_another_photograph_beside_the_note(
    guard: Guard, records: pd.DataFrame, batch_size: int
) -> None:
    found = guard(batch_size=batch_size)
    assert found["ran"]
    assert found["passed"] is True
    assert found["paired_changed"] is True
    assert found["records"] == min(LIMIT, int(records["note"].notna().sum()))


@pytest.mark.parametrize("side", ["text", "image"])
def test_a_model_whose_unimodal_vectors_have_seen_the_other_side_fails(
    guard: Guard, side: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The paper's protocol passed off as a search: the smallest trace of the partner is found."""

    def leaking(*arguments: Any, **options: Any) -> Predictions:
        found = predict(*arguments, **options)
        own, other = (found.embeddings[p][side] for p in ("unimodal", "paired"))
        own += np.float32(1e-6) * other
        return found

    monkeypatch.setattr(guard_module, "predict", leaking)
    found = guard()
    assert found["passed"] is False
    assert found["changed"][side] > 0
    assert found["changed"]["image" if side == "text" else "text"] == 0


def test_a_model_of_photographs_alone_has_nothing_to_leak(
    small_objective: Callable[..., Objective],
    records: pd.DataFrame,
    images: ImageStore,
    tokenizer: Tokenizer,
    standardisation: Standardisation,
) -> None:
    model = small_objective("model.inputs=['image']").model
    found = retrieval_guard(model, records, images, tokenizer, standardisation)
    assert (found["ran"], found["unavailable"]) == (
        False,
        "the model does not read both photographs and notes",
    )


def test_without_notes_the_guard_does_not_run_and_says_why(guard: Guard, records: pd.DataFrame) -> None:
    bare = records.copy()
    bare[["note", "masked_note"]] = np.nan
    found = guard(bare)
    assert (found["ran"], found["passed"], found["records"]) == (False, None, 0)
    assert "fewer than two records have a note" in found["unavailable"]
