"""Where fp32 is said, no TF32 takes its place; and whatever the process had set before is set again after."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from client.cache.trunk_cache import Reading, TrunkCache
from client.data.dataset import SiteDataset
from client.data.images import ImageStore
from client.inference.predict import predict
from client.training.full_precision import full_precision
from client.training.loop import train
from client.training.machine import Machine
from client.training.validation import validate
from shared_model.config import Config
from shared_model.losses import Objective
from shared_model.model import Tokenizer, build_model
from shared_model.model.image_encoder import ImageEncoder
from shared_model.statistics import Standardisation
from tests.client.cache.conftest import DRAWS, FROZEN, image_name_of

backends: Any = torch.backends
Flags = dict[str, object]
FULL = {"convolutions": False, "products": "highest", "conv": "ieee", "matmul": "ieee", "bf16": "ieee"}


def flags() -> Flags:
    return {
        "convolutions": backends.cudnn.allow_tf32,
        "products": torch.get_float32_matmul_precision(),
        "conv": backends.cudnn.conv.fp32_precision,
        "matmul": backends.cuda.matmul.fp32_precision,
        "bf16": backends.mkldnn.matmul.fp32_precision,
    }


@pytest.fixture(params=["as PyTorch comes", "loose"])
def before(request: pytest.FixtureRequest) -> Iterator[Flags]:
    """What the process has set, which is TF32 for convolutions at least."""
    with_us = flags()
    if request.param == "loose":
        torch.set_float32_matmul_precision("medium")
        assert flags()["bf16"] == "bf16"
    assert backends.cudnn.allow_tf32
    yield flags()
    torch.set_float32_matmul_precision("highest")
    backends.cuda.matmul.fp32_precision = with_us["matmul"]
    backends.mkldnn.matmul.fp32_precision = with_us["bf16"]
    assert flags() == with_us


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Flags]:
    """The flags at every forward pass of an image encoder or its trunk, and at every backward pass."""
    found: list[Flags] = []

    def watch(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def watched(*given: Any, **named: Any) -> Any:
            found.append(flags())
            return original(*given, **named)

        monkeypatch.setattr(owner, name, watched)

    watch(ImageEncoder, "trunk")
    watch(ImageEncoder, "finish")
    watch(torch.Tensor, "backward")
    return found


def test_the_flags_are_set_within_and_set_back_after_also_where_it_fails(before: Flags) -> None:
    with full_precision():
        assert flags() == FULL
        with full_precision():
            assert flags() == FULL
        assert flags() == FULL
    assert flags() == before
    with pytest.raises(KeyError), full_precision():
        raise KeyError
    assert flags() == before


def test_of_several_threads_the_last_one_sets_them_back(before: Flags) -> None:
    began, leave = threading.Event(), threading.Event()

    def other() -> None:
        with full_precision():
            began.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with full_precision():
        thread.start()
        assert began.wait(10)
    assert flags() == FULL
    leave.set()
    thread.join()
    assert flags() == before


def test_flags_that_were_set_by_the_newer_names_alone_are_set_back() -> None:
    with_us = flags()
    backends.cudnn.conv.fp32_precision = "ieee"  # from here on PyTorch refuses to tell allow_tf32
    try:
        with full_precision():
            assert flags() == FULL
        assert backends.cudnn.conv.fp32_precision == "ieee"
        assert backends.cudnn.rnn.fp32_precision == "tf32"
    finally:
        backends.cudnn.conv.fp32_precision = "tf32"
    assert flags() == with_us


def reading_of(config: Config, tokenizer: Tokenizer, standardisation: Standardisation) -> Reading:
    return Reading(build_model(config.model, seed=0), tokenizer, standardisation, config)


def test_features_are_computed_in_full_and_one_file_serves_whatever_was_set(
    before: Flags,
    seen: list[Flags],
    small_config: Callable[..., Config],
    records: pd.DataFrame,
    images: ImageStore,
    tokenizer: Tokenizer,
    standardisation: Standardisation,
    tmp_path: Path,
) -> None:
    reading = reading_of(small_config(*FROZEN, DRAWS), tokenizer, standardisation)
    TrunkCache(tmp_path / "features").dataset(records.iloc[:24].reset_index(drop=True), images, reading)
    assert seen
    assert all(one == FULL for one in seen)
    assert flags() == before
    name = image_name_of(reading)
    with full_precision():
        assert image_name_of(reading) == name
    assert (tmp_path / "features" / f"{name}.features").exists()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_run_in_fp32_trains_and_validates_in_full_and_every_prediction_is(
    precision: Any,
    before: Flags,
    seen: list[Flags],
    small_config: Callable[..., Config],
    records: pd.DataFrame,
    images: ImageStore,
    tokenizer: Tokenizer,
    standardisation: Standardisation,
) -> None:
    config, machine = small_config(*FROZEN, "training.local_steps=1"), Machine("cpu", precision)
    objective = Objective(build_model(config.model, seed=0), config.losses)
    objective.balance({task: list(counts) for task, counts in standardisation.class_counts.items()})
    dataset = SiteDataset(records, images, tokenizer, standardisation)
    expected = FULL if precision == "fp32" else before
    rows = dataset.rows_of("train")[:4]
    train(
        objective,
        dataset,
        rows,
        config.training,
        site="a",
        seed=0,
        first_step=0,
        learning_rate=1e-3,
        machine=machine,
    )
    validate(objective, dataset, rows, 4, machine)
    assert len(seen) >= 5
    assert all(one == expected for one in seen)
    seen.clear()
    predict(objective.model, dataset, np.arange(4), {}, mask_notes=True, batch_size=4)
    assert seen
    assert all(one == FULL for one in seen)
    assert flags() == before
