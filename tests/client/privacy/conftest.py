"""A hospital with a site.toml of its own that takes part in private runs, and the requests that it is sent."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from client.privacy.ledger import Entry, Ledger
from client.site.config import SiteConfig, load_site
from client.site.ledger import ledger
from client.site.state import SiteState
from client.worker.site_worker import SiteWorker
from shared_model.config import Config
from shared_model.exchange import Payload, shared_tensors
from shared_model.losses import Objective
from shared_model.model import build_model
from shared_model.statistics import Standardisation

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


@dataclass
class PrivateSite:
    """A hospital's folder and what runs in it. `worker` opens it anew each time, as a process that starts would."""

    folder: Path
    plan: Config
    scale: Standardisation
    run: str = "run-1"
    _seen: list[SiteWorker] = field(default_factory=list)

    @property
    def config(self) -> SiteConfig:
        return load_site(self.folder / "site.toml")

    @property
    def state(self) -> SiteState:
        return SiteState.open(self.config.state, self.config.key)

    @property
    def book(self) -> Ledger:
        return ledger(self.config, self.state)

    def worker(self, plan: Config | None = None, run: str = "") -> SiteWorker:
        return SiteWorker(self.config, self.state, plan or self.plan, run=run or self.run, federation="north")

    def ask(self, number: int, shift: float = 0.0) -> Payload:
        """A request to train round `number`; shift: what makes its base another."""
        fresh = Objective(build_model(self.plan.model, seed=self.plan.seed), self.plan.losses)
        base = {name: (array + shift).astype(np.float32) for name, array in shared_tensors(fresh).items()}
        fields = {"round": number, "learning_rate": 1e-3, "standardisation": self.scale.to_dict()}
        return Payload(base, fields)

    def trained(self) -> list[Entry]:
        return [entry for entry in self.book.entries() if entry.what == "training"]


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
