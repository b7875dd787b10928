"""Planted patients found again: the whole training path audited, from the photograph's file to the update.

In every round the attacker holds what came back against each canary's own gradient on the model it had sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from client.data.images import ImageStore
from client.privacy.dp.plan import make_plan
from simulations.audit.attacker import Attacker
from simulations.audit.tallies import Contributions, Floats, Marks
from simulations.audit.views import View
from simulations.audit.witness import watch

Planted = tuple[pd.DataFrame, NDArray[np.bool_]]  # records, and which of them are in


def find(
    view: View,
    tables: Mapping[str, pd.DataFrame],
    planted: Planted,
    images: ImageStore,
    folder: Path,
    on_round: Callable[[int], None],
) -> Floats:
    """Scores (M,) of every canary: larger speaks for "in".

    tables: site -> real records; the canaries whose coin says so join the first site. Statistics and the registered
    number of patients are as they would be without any of them: these are other releases, which are not audited here.
    """
    canaries, included = planted
    site, real = next(iter(tables.items()))
    joined = {**tables, site: pd.concat([real, canaries[included]], ignore_index=True)}
    tally = Marks(Attacker.of(view.config), canaries, images, site, on_round)
    watch(view.config, joined, images, folder, tally.hear, told={site: real})
    return tally.scores


def find_private(
    view: View,
    tables: Mapping[str, pd.DataFrame],
    planted: Planted,
    images: ImageStore,
    folder: Path,
    on_round: Callable[[int], None],
) -> Floats:
    """As `find`, of a private run of one step a round (`overheard.bared`), with what its optimiser is given.

    The canaries are all that the first site trains on. A promise holds for every data, and real patients would hide
    them where there is no noise; the registered number is that of the real ones.
    """
    canaries, included = planted
    site, real = next(iter(tables.items()))
    training = real["split"] == "train"
    patients = int(real.loc[training, "patient_id"].nunique())
    alone = pd.concat([real[~training], canaries[included]], ignore_index=True)
    plan = make_plan(view.config, patients)
    tally = Contributions(
        Attacker.of(view.config), canaries, images, site, on_round, plan=plan, noise=view.noise
    )
    watch(
        view.config,
        {site: alone},
        images,
        folder,
        tally.hear,
        told={site: real},
        registered={site: patients},
        noise=view.noise,
        on_moments=tally.overhear,
    )
    return tally.scores
