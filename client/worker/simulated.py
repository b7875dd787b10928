"""The workers of a simulated federation: one folder a site below a common root, opened by position.

Any process can open any site (Ray's actors do), because all that a worker needs is in those files.
"""

from __future__ import annotations

import json
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from client.data.images import ImageStore
from client.worker.worker import Worker
from shared_model.config import Config
from shared_model.config.load import from_toml
from shared_model.errors import RunError

if TYPE_CHECKING:
    from client.privacy.dp.rounds import PrivateRounds

ROOT_VARIABLE = "FEDFUNDUS_SIMULATED_SITES"
SITES, TABLE, IMAGES, CONFIG = "sites.json", "records.parquet", "images.npy", "config.toml"


def simulated_worker(index: int) -> Worker:
    """Worker number `index` of the simulation whose root the environment names."""
    root = os.environ.get(ROOT_VARIABLE)
    if root is None:
        raise RunError(
            "no simulated site is set up in this process",
            where=ROOT_VARIABLE,
            fix="start it by fedfundus-simulate",
        )
    return _open(Path(root), index)


def open_worker(root: Path, site: str) -> Worker:
    """The worker of one site of `sites.json` (site name -> patients)."""
    sites = json.loads((root / SITES).read_text(encoding="utf-8"))
    table = pd.read_parquet(root / TABLE)
    own = table[table["patient_id"].isin(sites[site])].reset_index(drop=True)
    config = from_toml(root / CONFIG)
    images = ImageStore.open(root / IMAGES)
    return Worker(site, own, images, config, root / "sites" / site, private=_private(site, own, config))


def _private(site: str, own: pd.DataFrame, config: Config) -> PrivateRounds | None:
    """Private training where the run asks for it; a simulated site's patients never change, so they are registered."""
    if not config.privacy.enabled:
        return None
    from client.privacy.dp.rounds import PrivateRounds

    patients = own.loc[own["split"] == "train", "patient_id"].nunique()
    return PrivateRounds.simulated(config, site, int(patients))


@lru_cache(maxsize=4096)
def _open(root: Path, index: int) -> Worker:
    sites = list(json.loads((root / SITES).read_text(encoding="utf-8")))
    return open_worker(root, sites[index])


def forget_workers() -> None:
    """Let go of the workers that this process has opened, and of their data."""
    _open.cache_clear()
