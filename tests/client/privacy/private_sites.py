"""A hospital's folder, in a module that other processes can import by one name: there are many conftests."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from client.privacy.ledger import Entry, Ledger
from client.site.config import SiteConfig, load_site
from client.site.contents import PARTICIPATION
from client.site.ledger import ledger
from client.site.state import SiteState
from client.worker.site_worker import SiteWorker
from shared_model.config import Config
from shared_model.exchange import Payload, shared_tensors
from shared_model.losses import Objective
from shared_model.model import build_model
from shared_model.statistics import Standardisation


def record_as_before(state: SiteState, run: str) -> None:
    """Note a patient as releases did that did not record whether a run was private."""
    entry = {
        "run": run,
        "federation": "north",
        "round": 1,
        "patients": ["a"],
        "when": "2026-11-01T00:00:00+00:00",
    }
    with state.journal(PARTICIPATION, durable=True) as journal:
        journal.append(json.dumps(entry).encode())


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
