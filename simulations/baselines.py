"""Floors and ceilings beside the federation: each site alone, and all data pooled.

Every baseline is a federation of one site run by the same worker and round loop, without messages. With S sites,
R rounds and E local steps: `local:SITE` takes R x E steps on its own data, `pooled` S x R x E on everything (equal
sample visits), `pooled_equal_steps` R x E on everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from client.cache.trunk_cache import FOLDER, TrunkCache
from client.data.images import ImageStore
from client.worker import Worker
from client.worker.simulated import IMAGES, TABLE
from server.federation import run_federation
from server.history import RoundRecord
from server.sites import Question, SiteFailure
from server.store import RunFolder
from shared_model.config import Config
from shared_model.config.exchange import ExchangeConfig
from shared_model.config.privacy import PrivacyConfig
from shared_model.config.secure_aggregation import SecureAggregationConfig
from shared_model.exchange import Payload
from shared_model.metrics.predictions import Predictions
from simulations.inference import test_predictions

POOLED, POOLED_EQUAL_STEPS = "pooled", "pooled_equal_steps"


@dataclass(frozen=True)
class Baseline:
    """One baseline: its label, the patients it may train on, and its configuration."""

    label: str
    patients: tuple[str, ...]
    config: Config


class DirectSites:
    """server.sites.Sites for one worker in this process."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker

    def addresses(self) -> list[str]:
        """The one site."""
        return [self.worker.site]

    def ask(
        self, question: Question, payloads: Mapping[str, Payload]
    ) -> Iterator[tuple[str, Payload | SiteFailure]]:
        """Call the worker; its errors are the run's own and are raised."""
        for address, payload in payloads.items():
            if question == "join":
                yield address, self.worker.join()
            elif question == "statistics":
                yield address, self.worker.statistics()
            elif question == "train":
                yield address, self.worker.train(payload)
            else:
                yield address, self.worker.evaluate(payload)


def baselines(config: Config, sites: Mapping[str, list[str]]) -> list[Baseline]:
    """Every baseline of a federation, longest first."""
    steps = config.training.local_steps
    everyone = tuple(patient for patients in sites.values() for patient in patients)
    return [
        Baseline(POOLED, everyone, alone(config, steps * len(sites))),
        *(Baseline(f"local:{name}", tuple(own), alone(config, steps)) for name, own in sites.items()),
        Baseline(POOLED_EQUAL_STEPS, everyone, alone(config, steps)),
    ]


def alone(config: Config, steps: int) -> Config:
    """The configuration of a baseline: one site, plainly averaged, unpacked; the federation's rounds and schedule."""
    training = config.training.model_copy(update={"local_steps": steps})
    federation = config.federation.model_copy(update={"strategy": "fedavg", "quorum": 1})
    update = {"training": training, "federation": federation, "exchange": ExchangeConfig()}
    # floor and ceiling: what differential privacy costs; one site has nobody to add up with
    plain = update | {"privacy": PrivacyConfig(), "secure_aggregation": SecureAggregationConfig()}
    return config.model_copy(update=plain)


def train_baseline(
    baseline: Baseline,
    workspace: Path,
    sites: Mapping[str, str],
    on_round: Callable[[RoundRecord], None] = lambda record: None,
) -> dict[str, Predictions]:
    """Train one baseline from the workspace's files and predict the test set of every site.

    Returns "last" and "best" predictions; sites: patient to site name. Runs in a process of its own or in this one.
    """
    table = pd.read_parquet(workspace / TABLE)
    own = table[table["patient_id"].isin(set(baseline.patients))].reset_index(drop=True)
    images = ImageStore.open(workspace / IMAGES)
    folder = RunFolder(baseline_folder(workspace, baseline.label))
    cache = TrunkCache(
        workspace / FOLDER
    )  # notes are the same in every model, photographs where their scale is
    worker = Worker(baseline.label, own, images, baseline.config, folder.path, cache=cache)
    run_federation(DirectSites(worker), baseline.config, folder, baseline.label, on_round)
    return test_predictions(baseline.config, folder, table, images, sites, workspace)


def baseline_folder(workspace: Path, label: str) -> Path:
    """Where a baseline keeps its history and weights."""
    return workspace / "baselines" / label.replace(":", "-")
