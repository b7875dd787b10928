"""What the witness keeps is what a coordinator sees: each update, or under secure aggregation the mean alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from client.data.images import ImageStore
from shared_model.config import Config, load_config
from simulations.audit.views import DEFAULTS, SECURE, View, private_config, views
from simulations.audit.witness import Round, watch
from simulations.prepare import prepare

SMALL = (
    "model.image={size=32, width=16, depth=1, heads=2, name='vit_tiny_patch16_224', stem='convolutional', "
    "frozen_blocks=0}",
    "model.fusion={width=16, depth=1, heads=2, feed_forward=16, dropout=0.0, joint=16}",
    "model.decoders={image_channels=[4], text_layers=1, text_heads=2, text_feed_forward=16}",
    "training.local_steps=1",
    "training.batch_size=4",
    "federation.rounds=2",
    "runtime.jobs=1",
)


@pytest.fixture(scope="module")
def config() -> Config:
    return load_config("tiny", overrides=SMALL)


@pytest.fixture(scope="module")
def data(
    synthetic: Path, config: Config, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, pd.DataFrame], ImageStore]:
    prepared = prepare(synthetic, config, tmp_path_factory.mktemp("audited"))
    table = prepared.table
    own = {
        site: table[table["patient_id"].isin(set(p))].reset_index(drop=True)
        for site, p in prepared.sites.items()
    }
    return own, prepared.images


def _rounds(view: View, data: tuple[dict[str, pd.DataFrame], ImageStore], folder: Path) -> list[Round]:
    found: list[Round] = []
    watch(view.config, data[0], data[1], folder, found.append)
    return found


def test_secure_aggregation_shows_the_mean_of_the_updates_and_nothing_else(
    config: Config, data: tuple[dict[str, pd.DataFrame], ImageStore], tmp_path: Path
) -> None:
    of = {view.name: view for view in views(config, private_config("tiny", SMALL), [8.0])}
    clear, masked = (_rounds(of[name], data, tmp_path / name) for name in (DEFAULTS, SECURE))
    assert [one.number for one in clear] == [one.number for one in masked] == [1, 2]
    site = next(iter(data[0]))
    assert not masked[0].updates
    weights = {name: int((table["split"] == "train").sum()) for name, table in data[0].items()}
    for name, seen in masked[0].seen(site).items():
        expected = sum(clear[0].updates[one][name] * weight for one, weight in weights.items()) / sum(
            weights.values()
        )
        moved = max(1e-4, float(np.abs(expected - clear[0].base[name]).max()))
        assert np.abs(seen - expected).max() < 0.05 * moved, name
        assert np.allclose(clear[0].together[name], expected, atol=1e-6)


def test_no_decoder_is_seen_unless_all_is_shared(
    config: Config, data: tuple[dict[str, pd.DataFrame], ImageStore], tmp_path: Path
) -> None:
    everything, defaults = views(config, private_config("tiny", SMALL), [8.0])[:2]
    one = dict(list(data[0].items())[:1])
    seen = [_rounds(view, (one, data[1]), tmp_path / view.name)[0] for view in (everything, defaults)]
    decoders = [sum("decoder" in name for name in found.base) for found in seen]
    assert decoders[0] > 0
    assert decoders[1] == 0
