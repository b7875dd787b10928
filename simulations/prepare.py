"""From a data folder to sites: records, photographs, split and partition, laid out so that any process can open them.

The workspace holds one table, one image store and one list of patients per site; the baselines are "sites" of the
same workspace (each site alone, all pooled), so that every model is trained by the same worker.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from client.adapters import Loaded, load
from client.data.images import ImageStore, build_image_store
from client.data.split import assign_splits
from client.site.config import load_site
from client.site.prepare import read as read_site
from client.worker.simulated import CONFIG, IMAGES, SITES, TABLE
from shared_model.config import Config, to_toml
from shared_model.config.at_site import require_private_sites
from shared_model.errors import DataError
from shared_model.files import naming_disk_errors, write_text
from simulations import withholding
from simulations.partitions import Partition, describe, partition
from simulations.private_sites import require_reachable
from simulations.processes import processes_asked

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Prepared:
    """What a simulation stands on. table: canonical records with splits; sites: site name to its patients."""

    table: pd.DataFrame
    images: ImageStore
    sites: dict[str, list[str]]
    partition: dict[str, Any]
    quarantine: pd.DataFrame
    notices: list[str]


def read_records(
    data: Path, config: Config, workspace: Path, progress: Progress | None = None
) -> tuple[pd.DataFrame, ImageStore, pd.DataFrame, list[str]]:
    """Records with their splits, photographs, quarantine and notices of a data folder, or of a site.toml's."""
    return read_numbered(data, config, workspace, progress)[:4]


def read_numbered(
    data: Path, config: Config, workspace: Path, progress: Progress | None = None
) -> tuple[pd.DataFrame, ImageStore, pd.DataFrame, list[str], Mapping[str, int]]:
    """read_records, and the line of the source table that each record came from."""
    loaded = _load(data, config)
    images, unreadable = build_image_store(
        loaded.table,
        workspace / IMAGES,
        config.model.image.size,
        processes_asked(config),
        progress,
        lines=loaded.lines,
    )
    train, validation = config.data.split
    table = assign_splits(
        images.usable(loaded.table),
        seed=config.seed,
        fractions=(train, validation, 1.0 - train - validation),
        digests=images.digests,
    )
    quarantine = pd.concat([loaded.quarantine, unreadable], ignore_index=True)
    return table, images, quarantine, list(loaded.notices), loaded.lines


def require_data(data: Path) -> None:
    """Raises DataError where nothing is at `data`: for a command that does hours of work before it reads."""
    if not data.exists():
        raise DataError(
            "The data folder does not exist.",
            where=str(data),
            fix="Give the folder that holds the table of labels and the photographs.",
        )


def _load(data: Path, config: Config) -> Loaded:
    """A site.toml brings its own adapter and mapping; a folder is read by data.adapter."""
    masked = config.losses.mask_notes
    if data.suffix.casefold() == ".toml":
        return read_site(load_site(data), mask_notes=masked)
    return load(data, config.data.adapter, mask_notes=masked)


def prepare(data: Path, config: Config, workspace: Path, progress: Progress | None = None) -> Prepared:
    """Read `data`, split and partition it, and write the workspace that workers open."""
    with naming_disk_errors(workspace):
        workspace.mkdir(parents=True, exist_ok=True)
    table, images, quarantine, notices = read_records(data, config, workspace, progress)
    return write_workspace(table, images, config, workspace, quarantine, notices)


def write_workspace(
    table: pd.DataFrame,
    images: ImageStore,
    config: Config,
    workspace: Path,
    quarantine: pd.DataFrame,
    notices: list[str],
) -> Prepared:
    """Partition records that have their splits, take from each site what it is to lack, and write what workers open.

    Raises DataError and ConfigError before anything is trained.
    """
    parts = deal(table, images, config)
    _check_split(table, parts.sites)
    require_private_sites(config, parts.sites)
    require_reachable(config, table, parts.sites)
    withhold = config.federation.withhold
    table = withholding.withheld(table, parts.sites, withhold)
    with naming_disk_errors(workspace):
        table.to_parquet(workspace / TABLE)
    write_text(workspace / SITES, json.dumps(parts.sites))
    write_text(workspace / CONFIG, to_toml(config))
    described = describe(table, parts)
    said = [*notices, *parts.notices, *withholding.notices(withhold)]
    said += _trained_by_one(table, parts.sites, config)
    return Prepared(table, images, parts.sites, described, quarantine, said)


def deal(table: pd.DataFrame, images: ImageStore, config: Config) -> Partition:
    """Patients to sites, as the configuration says."""
    federation = config.federation
    return partition(
        table,
        federation.partition,
        sites=federation.sites or None,
        seed=config.seed,
        alpha=federation.alpha,
        digests=images.digests,
    )


def _trained_by_one(table: pd.DataFrame, sites: dict[str, list[str]], config: Config) -> list[str]:
    """Parts of the model that one site alone could train: under secure aggregation they stay as they are."""
    if (
        not config.secure_aggregation.enabled or config.privacy.enabled
    ):  # private sites add noise to every part
        return []
    from client.training.untrained import trained_parts

    records = [table[table["patient_id"].isin(patients)] for patients in sites.values()]
    counts = Counter(part for own in records for part in trained_parts(own, private=False))
    return [
        f"One site alone has records to train the part {part} of the model, which therefore stays as it is: under "
        "secure aggregation its sum would be that site's own update."
        for part, count in counts.items()
        if count == 1
    ]


def _check_split(table: pd.DataFrame, sites: dict[str, list[str]]) -> None:
    """Raises DataError, before anything is trained, for a site without training or data without test patients."""
    training = set(table.loc[table["split"] == "train", "patient_id"])
    empty = [site for site, patients in sites.items() if not training & set(patients)]
    if empty:
        raise DataError(
            "a site has no training patients after partitioning and splitting",
            where=f"site {', '.join(empty)}",
            fix="use fewer sites, another partition or seed, or more patients",
        )
    everyone = {patient for patients in sites.values() for patient in patients}
    if not everyone & set(table.loc[table["split"] == "test", "patient_id"]):
        raise DataError(
            "no patient is left to test on",
            where=f"{table['patient_id'].nunique()} patients, split by patient",
            fix="use more patients, another --seed, a smaller data.split, or a split.csv that names test patients",
        )
