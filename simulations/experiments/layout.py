"""The files that one experiment's workers open, and the fingerprint by which its data are known again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pandas as pd

from client.worker.simulated import SITES
from shared_model.errors import ConfigError
from shared_model.files import naming_disk_errors, write_text
from simulations.experiments.experiment import Experiment
from simulations.prepare import Prepared, write_workspace

WORKSPACE = "workspace"
DEALT = "dealt.json"  # site -> patients, a site that is left out among them


def fingerprint(prepared: Prepared) -> str:
    """SHA-256 of every record, its split and its photograph; where the files lie plays no part."""
    table = prepared.table.drop(columns="image_path")
    digest = hashlib.sha256(pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes())
    for record in table["record_id"]:
        digest.update(prepared.images.digests[record].encode())
    return digest.hexdigest()


def lay_out(experiment: Experiment, prepared: Prepared, store: Path, folder: Path) -> None:
    """Write `folder`/workspace: records, sites and configuration, and links to the photographs of `store`.

    The site left out keeps its records, of which only those to test on are read. Raises ConfigError where it is
    not a site, or the only one.
    """
    workspace = folder / WORKSPACE
    with naming_disk_errors(workspace):
        workspace.mkdir(mode=0o700, parents=True, exist_ok=True)
        for part in store.iterdir():
            link = workspace / part.name
            link.unlink(missing_ok=True)
            link.symlink_to(part.resolve())
    laid_out = write_workspace(
        prepared.table, prepared.images, experiment.config, workspace, prepared.quarantine, []
    )
    write_text(workspace / DEALT, json.dumps(laid_out.sites))
    if experiment.left_out:
        write_text(workspace / SITES, json.dumps(_others(laid_out.sites, experiment.left_out)))


def _others(sites: dict[str, list[str]], left_out: str) -> dict[str, list[str]]:
    if left_out not in sites:
        raise ConfigError(
            f"there is no site {left_out!r} to leave out",
            where="--leave-out",
            fix=f"use one of: {', '.join(sites)}, or each",
        )
    if len(sites) < 2:
        raise ConfigError(
            f"{left_out} is the only site of these data: without it nothing is left to train on",
            where="--leave-out",
            fix="give data of several centres (a center column or centers.csv)",
        )
    return {site: patients for site, patients in sites.items() if site != left_out}
