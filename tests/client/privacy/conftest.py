"""A hospital with a site.toml of its own that takes part in private runs, and the requests that it is sent."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from shared_model.config import Config
from shared_model.statistics import Standardisation
from tests.client.privacy.private_sites import PrivateSite

PRIVATE = (
    "privacy={enabled=true, patients=64, bank=4, records=2}",  # all of them in every step
    "model.local=[]",
    "model.image={size=32, width=16, depth=1, heads=2, name='vit_tiny_patch16_224', stem='convolutional', "
    "frozen_blocks=0}",
    "model.decoders.enabled=false",
    "losses.fixed.image_reconstruction=0.0",
    "losses.fixed.text_reconstruction=0.0",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=None, help="how often a private worker is killed")


@pytest.fixture
def private_site(
    tmp_path: Path, data_folder: Path, small_config: Callable[..., Config], standardisation: Standardisation
) -> Callable[..., PrivateSite]:
    def make(policy: str = "", *overrides: str, name: str = "paulista") -> PrivateSite:
        folder = tmp_path / name
        shutil.copytree(data_folder, folder / "data")
        (folder / "site.toml").write_text(
            f'[site]\nname = "{name}"\n[data]\nfolder = "data"\n[split]\ntrain = 0.6\nvalidation = 0.2\n'
            f"[policy]\n{policy}\n"
        )
        return PrivateSite(folder, small_config(*PRIVATE, *overrides), standardisation)

    return make
