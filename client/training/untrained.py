"""Which parameters a site's records cannot train: those that serve an input or a label it has none of.

Their gradient is zero, but AdamW's weight decay would shrink them all the same, and in the federation's mean an
unchanged copy would hold back the sites that do train them. So they are left out of the optimiser, and the site
names them, that its update may count for the others only (as in HeteroFL, Diao et al. 2021: a parameter is averaged
over those who trained it).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from client.data.dataset import NO_NOTE, SiteDataset
from shared_model.losses import Objective
from shared_model.losses.grading import MISSING

_TEXT = ("model.text_encoder.", "model.text_projection.", "model.modality_type.text", "model.text_decoder.")
_STRUCTURED = ("model.structured_encoder.", "model.modality_type.structured")


def untrained(objective: Objective, dataset: SiteDataset, rows: NDArray[np.int64]) -> frozenset[str]:
    """Names of the objective's trainable parameters on which no loss over these rows of the data set depends."""
    prefixes: list[str] = []
    if bool((dataset.note_group[rows] == NO_NOTE).all()):
        prefixes += _TEXT
    if not bool(dataset.structured_present[rows].any()):
        prefixes += _STRUCTURED
    for task, labels in dataset.labels.items():
        if bool((labels[rows] == MISSING).all()):
            prefixes.append(f"model.heads.{task}.")
    trainable = (name for name, parameter in objective.named_parameters() if parameter.requires_grad)
    return frozenset(name for name in trainable if name.startswith(tuple(prefixes)))
