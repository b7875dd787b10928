"""Whether an evaluation meets patients that its model was trained on, which flatters every figure.

A model travels without its patients: names, or hashes of names that can be guessed, would tell who took part. What
can be known is known beside it, in the folder of its run, where partition.json counts what every site held. Data that
come to the very same counts, split and dealt as the run did, are taken for its own, and the split says who trained.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from shared_model.config import Config
from simulations import withholding
from simulations.partitions import Partition, describe

PARTITION = "partition.json"
MAY_INCLUDE = (
    "These records may include patients the model was trained on, whom it grades better than any other."
)


def training_warning(folder: Path, table: pd.DataFrame, parts: Partition | None, config: Config) -> str:
    """What to say of every record of `table` being evaluated by the model in `folder`.

    table: split as the run's seed splits it; parts: dealt to sites as the run dealt them, None where that failed.
    """
    counted = _counted(folder)
    if parts is None or not counted:
        return MAY_INCLUDE
    withhold = {site: names for site, names in config.federation.withhold.items() if site in parts.sites}
    if describe(withholding.withheld(table, parts.sites, withhold), parts)["sites"] != counted:
        return MAY_INCLUDE
    everyone = {patient for patients in parts.sites.values() for patient in patients}
    side = table[table["patient_id"].isin(everyone)].groupby("split")["patient_id"].nunique()
    trained, validated = (int(side.get(name, 0)) for name in ("train", "validation"))
    return (
        f"These records include patients the model was trained on: they look like its run's own data, of whose "
        f"{table['patient_id'].nunique():,} patients it was trained on {trained:,} and set up on {validated:,} more. "
        "Use --split test."
    )


def _counted(folder: Path) -> dict[str, Any]:
    """What the run beside the model counted of each site; empty where there is none that can be read."""
    try:
        document = json.loads((folder.resolve().parent / PARTITION).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    sites = document.get("sites") if isinstance(document, dict) else None
    return sites if isinstance(sites, dict) else {}
