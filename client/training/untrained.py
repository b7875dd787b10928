"""Which parameters a site's records cannot train: those that serve an input or a label it has none of.

Their gradient is zero, but AdamW's weight decay would shrink them all the same, and in the federation's mean an
unchanged copy would hold back the sites that do train them. So they are left out of the optimiser, and the site
names them, that its update may count for the others only (as in HeteroFL, Diao et al. 2021: a parameter is averaged
over those who trained it).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from client.data.dataset import NO_NOTE, SiteDataset
from shared_model.losses import Objective
from shared_model.losses.grading import MISSING
from shared_model.model.parts import PARTS, PREFIXES
from shared_model.records import STRUCTURED, TASKS


def untrained(objective: Objective, dataset: SiteDataset, rows: NDArray[np.int64]) -> frozenset[str]:
    """Names of the objective's trainable parameters on which no loss over these rows of the data set depends."""
    prefixes: list[str] = []
    if bool((dataset.note_group[rows] == NO_NOTE).all()):
        prefixes += PREFIXES["text"]
    if not bool(dataset.structured_present[rows].any()):
        prefixes += PREFIXES["structured"]
    for task, labels in dataset.labels.items():
        if bool((labels[rows] == MISSING).all()):
            prefixes += PREFIXES[task]
    trainable = (name for name, parameter in objective.named_parameters() if parameter.requires_grad)
    return frozenset(name for name in trainable if name.startswith(tuple(prefixes)))


def trained_parts(table: pd.DataFrame, *, private: bool) -> tuple[str, ...]:
    """The parts (shared_model.model.parts) that a site with these canonical records can train, in their order.

    private: all of them, since private rounds do not tell who lacks what.
    """
    if private:
        return PARTS
    rows = table[table["split"] == "train"]
    columns = {"text": ["note"], "structured": list(STRUCTURED), **{task: [task] for task in TASKS}}
    return tuple(part for part in PREFIXES if bool(rows[columns[part]].notna().to_numpy().any()))
