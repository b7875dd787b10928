"""The workers of a simulated federation: one folder a site below a common root, opened by position.

Any process can open any site (Ray's actors do), because all that a worker needs is in those files. What sites have in
common is read once a process; of the sites themselves a few are kept open, so that a thousand take no more memory
than those, and what a site must remember lies on disk, unforced: a simulation that is broken off begins anew.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from client.cache.trunk_cache import FOLDER, TrunkCache, Whole
from client.data.images import ImageStore
from client.worker.worker import Worker
from shared_model.config import Config
from shared_model.config.at_site import config_at
from shared_model.config.load import from_toml
from shared_model.errors import RunError

if TYPE_CHECKING:
    from client.privacy.dp.rounds import PrivateRounds
    from client.privacy.secure_aggregation.simulated import SimulatedRounds

ROOT_VARIABLE = "FEDFUNDUS_SIMULATED_SITES"
OPEN_SITES = 64  # at a time and process; another is opened again from the table that is in memory
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


def simulated_rounds(worker: Worker) -> SimulatedRounds | None:
    """The secure rounds of a worker of this process's simulation; None where the run has none."""
    if not worker.config.secure_aggregation.enabled:
        return None
    return _secure(Path(os.environ[ROOT_VARIABLE]), worker.site)


def open_worker(root: Path, site: str) -> Worker:
    """The worker of one site of `sites.json` (site name -> patients)."""
    common = _common(root)
    rows = common.rows[site]
    own = common.table.iloc[rows].reset_index(drop=True)
    return Worker(
        site,
        own,
        common.images,
        _config_at(common.config, site),
        root / "sites" / site,
        private=_private(root, site),
        resumable=False,
        cache=common.cache,
    )


def _config_at(config: Config, site: str) -> Config:
    """As config_at. The sites of a process share one model, which is where private training needs it."""
    found = config_at(config, site)
    if found is config:
        return config
    where = config.runtime.model_copy(update={"device": "cpu", "precision": "fp32"})
    return found.model_copy(update={"runtime": where})


@dataclass(frozen=True, eq=False)
class _Common:
    """What every site of one root stands on. rows: site -> positions of its records in the table. cache: of features
    of all sites, built once for them.
    """

    config: Config
    table: pd.DataFrame
    images: ImageStore
    rows: dict[str, NDArray[np.int64]]
    cache: TrunkCache

    @property
    def names(self) -> list[str]:
        return list(self.rows)


@lru_cache(maxsize=1)
def _common(root: Path) -> _Common:
    sites: dict[str, list[str]] = json.loads((root / SITES).read_text(encoding="utf-8"))
    table = pd.read_parquet(root / TABLE)
    positions = table.groupby("patient_id", sort=False).indices
    nobody = np.empty(0, dtype=np.int64)
    rows = {
        site: np.sort(
            np.concatenate([nobody, *(positions.get(patient, nobody) for patient in set(patients))])
        )
        for site, patients in sites.items()
    }
    images = ImageStore.open(root / IMAGES)
    held = np.sort(np.concatenate([nobody, *rows.values()]))
    shared = _shared_cache(root, lambda: (table.iloc[held], images))
    return _Common(from_toml(root / CONFIG), table, images, rows, shared)


_caches: dict[Path, TrunkCache] = {}  # of one root at a time: the disk space of another's is to be free


def _shared_cache(root: Path, whole: Whole) -> TrunkCache:
    _close_caches()
    _caches[root] = TrunkCache(root / FOLDER, whole=whole)
    return _caches[root]


def _close_caches() -> None:
    for root in list(_caches):
        _caches.pop(root).close()


@cache
def _private(root: Path, site: str) -> PrivateRounds | None:
    """Private training where the run asks for it; a simulated site's patients never change, so they are registered.

    Kept for every site: what a site has spent is not forgotten when it is closed.
    """
    common = _common(root)
    if not common.config.privacy.covers(site):
        return None
    from client.privacy.dp.rounds import PrivateRounds

    own = common.table.iloc[common.rows[site]]
    patients = own.loc[own["split"] == "train", "patient_id"].nunique()
    return PrivateRounds.simulated(common.config, site, int(patients))


@cache
def _secure(root: Path, site: str) -> SimulatedRounds:
    """Kept for every site, since a round's keys are in memory alone."""
    from client.privacy.secure_aggregation.simulated import SimulatedRounds

    return SimulatedRounds(root, site, _common(root).config)


@lru_cache(maxsize=OPEN_SITES)
def _open(root: Path, index: int) -> Worker:
    return open_worker(root, _common(root).names[index])


def forget_workers() -> None:
    """Let go of the workers that this process has opened, and of their data."""
    for kept in (_open, _private, _secure, _common):
        kept.cache_clear()
    _close_caches()
