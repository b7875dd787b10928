"""The public start: painted pictures whose spots can be counted, and weights that a run can begin with."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from shared_model.config import Config, load_config
from shared_model.model import build_model
from shared_model.progress import RunProgress
from simulations import public_start
from simulations.public_start import paint, with_public_start

SMALL: dict[str, Any] = {
    "model__image__size": 32,
    "model__image__width": 16,
    "model__image__depth": 1,
    "model__image__heads": 2,
    "model__image__frozen_blocks": 1,
}


def started(config: Config, folder: Path) -> Config:
    with RunProgress(Console(file=io.StringIO())) as progress:
        return with_public_start(config, folder, progress)


def test_pictures_are_the_same_wherever_they_are_painted_and_show_their_spots() -> None:
    painted = [paint(index, 64) for index in range(40)]
    assert all(np.array_equal(one.pixels, paint(i, 64).pixels) for i, one in enumerate(painted[:5]))
    assert all(one.pixels.shape == (3, 64, 64) for one in painted)
    assert min(one.pixels.min() for one in painted) >= 0
    assert max(one.pixels.max() for one in painted) <= 1
    counts = [(one.dark, one.bright) for one in painted]
    assert all(dark >= 0 and bright >= 0 for dark, bright in counts)
    assert len(set(counts)) > 20
    assert any(dark > 10 for dark, _ in counts)
    assert any(bright > 10 for _, bright in counts)


def test_a_model_begins_with_what_was_learnt_and_it_is_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public_start, "PICTURES", 64)
    monkeypatch.setattr(public_start, "EPOCHS", 1)
    config = load_config("private-tiny", **SMALL)
    found = started(config, tmp_path)
    weights = Path(found.model.image.weights)
    made = (weights / "model.safetensors").stat().st_mtime_ns
    assert started(config, tmp_path) == found
    assert (weights / "model.safetensors").stat().st_mtime_ns == made
    model = build_model(found.model)
    assert model.origin["image"] == f"pretrained, {weights}"
    assert found.model.image.frozen_blocks == 1
    assert not any(p.requires_grad for p in model.image_encoder.vit.blocks.parameters())  # type: ignore[union-attr]


@pytest.mark.parametrize("changed", [{"model__image__frozen_blocks": 0}, {"model__image__weights": "mine"}])
def test_an_encoder_that_is_trained_or_has_weights_is_left_alone(
    changed: dict[str, Any], tmp_path: Path
) -> None:
    config = load_config("private-tiny", **(SMALL | changed))
    assert started(config, tmp_path) is config
    assert not list(tmp_path.iterdir())
