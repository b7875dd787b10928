"""Models with something frozen, and caches of them in a folder of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from client.cache.identity import image_name
from client.cache.trunk_cache import Reading, TrunkCache
from client.data.dataset import SiteDataset
from client.data.images import ImageStore
from client.training.augmentation import DrawnAugmentations
from shared_model.config import Config
from shared_model.losses import Objective
from shared_model.model import Tokenizer, build_model
from shared_model.statistics import Standardisation
from simulations.prepare import Prepared

FROZEN = (
    "model.image.stem=patch",
    "model.image.depth=3",
    "model.image.frozen_blocks=2",
    "model.text.depth=3",
    "model.text.frozen_blocks=2",
    "model.text.freeze_embeddings=true",
)
DRAWS = "cache.image_draws=3"

MakeReading = Callable[..., Reading]
MakeDataset = Callable[..., SiteDataset]


def image_name_of(reading: Reading) -> str:
    config = reading.config
    drawn = DrawnAugmentations(config.training.augmentation, config.cache.image_draws, config.seed)
    assert reading.model.image_encoder is not None
    return image_name(reading.model.image_encoder, config.model.image, reading.standardisation, drawn)


class Heard:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.steps: list[tuple[int, int, str]] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def update(self, name: str, done: int, total: int, *, unit: str = "") -> None:
        self.steps.append((done, total, unit))


@pytest.fixture(scope="session")
def frozen_config(small_config: Callable[..., Config]) -> Callable[..., Config]:
    """A small model whose encoders have a trunk each; arguments are further overrides."""
    return lambda *overrides: small_config(*FROZEN, *overrides)


@pytest.fixture(scope="session")
def reading(
    frozen_config: Callable[..., Config], tokenizer: Tokenizer, standardisation: Standardisation
) -> MakeReading:
    def make(*overrides: str, seed: int = 0, **replaced: Any) -> Reading:
        config = frozen_config(*overrides)
        model = build_model(config.model, seed=seed)
        return Reading(model, tokenizer, replaced.get("standardisation", standardisation), config)

    return make


@pytest.fixture(scope="session")
def records(prepared: Prepared) -> pd.DataFrame:
    """Few, of every split."""
    return prepared.table.iloc[:24].reset_index(drop=True)


@pytest.fixture
def cached(records: pd.DataFrame, images: ImageStore, tmp_path: Path) -> MakeDataset:
    """The records through a cache in `tmp_path`."""

    def make(reading: Reading, cache: TrunkCache | None = None) -> SiteDataset:
        return (cache or TrunkCache(tmp_path / "features")).dataset(records, images, reading)

    return make


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for every time that an image trunk or a text trunk has been run."""
    runs: list[str] = []
    for kind, path in (("image", "image_encoder.ImageEncoder"), ("text", "text_encoder.TextEncoder")):
        monkeypatch.setattr(f"shared_model.model.{path}.trunk", _counting(kind, path, runs))
    return runs


def _counting(kind: str, path: str, runs: list[str]) -> Callable[..., torch.Tensor]:
    from shared_model.model.image_encoder import ImageEncoder
    from shared_model.model.text_encoder import TextEncoder

    original: Callable[..., torch.Tensor] = (ImageEncoder if kind == "image" else TextEncoder).trunk

    def trunk(*given: Any) -> torch.Tensor:
        runs.append(kind)
        return original(*given)

    return trunk


def objective_of(reading: Reading) -> Objective:
    return Objective(reading.model, reading.config.losses)
