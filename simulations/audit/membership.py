"""Membership inference: was this patient trained on? Asked of every patient by the losses of the model that was seen.

The loss threshold (Yeom et al. 2018) takes a low loss for a sign of membership. Calibrated (Watson et al. 2022), the
loss of a reference model, trained by the attacker on other patients, is subtracted: a photograph that is easy for
everybody says nothing. The unit is the patient: the mean over all their photographs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu
from sklearn import config_context
from sklearn.metrics import auc, roc_curve

from client.data.images import ImageStore
from shared_model.config import Config
from shared_model.exchange.parameters import Arrays
from shared_model.randomness import numpy_generator
from simulations.audit.attacker import GRADING, Attacker, by_patient
from simulations.audit.witness import Round, watch

RESAMPLES = 500
FALSE_POSITIVES = 0.01
CONTROL, FEW = "control: few patients, all shared", 24
CONTROL_SIGNAL, CONTROL_ATTACK = GRADING, "loss"  # what the control is judged by, chosen before any was seen
ATTACKS = ("loss", "calibrated")
Signals = dict[str, dict[str, pd.Series]]  # site -> signal -> loss of each patient
OnRound = Callable[[int, int], None]


def split(table: pd.DataFrame, sites: Mapping[str, list[str]], seed: int) -> dict[str, pd.DataFrame]:
    """Site to its members (`train`, as they are) and, of its test patients, every other one as the non-members asked
    after (`out`) and the rest as the attacker's own (`reference`), in a column `role`.
    """
    found = {}
    for site, patients in sites.items():
        own = table[table["patient_id"].isin(set(patients))].reset_index(drop=True)
        tested = own.loc[own["split"] == "test", "patient_id"].unique()
        order = numpy_generator(seed, "audit", "membership", site).permutation(len(tested))
        reference = set(tested[order[: len(tested) // 2]])
        role = own["split"].where(own["split"] != "test", "out")
        found[site] = own.assign(role=role.mask(own["patient_id"].isin(reference), "reference"))
    return found


def few(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The control's data: the first site with no more than FEW training patients, and as many rounds to learn them by
    heart in.
    """
    site, table = next(iter(tables.items()))
    train = table.loc[table["role"] == "train", "patient_id"].unique()
    kept = table["patient_id"].isin(set(train[:FEW])) | (table["role"] == "out")
    return {site: table[kept].reset_index(drop=True)}


def still(config: Config) -> Config:
    """Without what keeps a model from learning photographs by heart."""
    plain = {"flips": False, "rotation_degrees": 0.0, "brightness": 0.0, "contrast": 0.0}
    augmentation = config.training.augmentation.model_copy(update=plain)
    changed = {"augmentation": augmentation, "modality_dropout": 0.0}
    return config.model_copy(update={"training": config.training.model_copy(update=changed)})


def train_reference(
    config: Config, tables: Mapping[str, pd.DataFrame], images: ImageStore, folder: Path, on_round: OnRound
) -> Round:
    """The attacker's model of its own patients of all sites: as many steps as one site takes, no protection."""
    own = pd.concat([table[table["role"] == "reference"] for table in tables.values()], ignore_index=True)
    own = own.assign(split="train").drop(columns="role")
    return train({"the attacker": own}, config, images, folder, on_round)


def train(
    tables: Mapping[str, pd.DataFrame],
    config: Config,
    images: ImageStore,
    folder: Path,
    on_round: OnRound,
    noise: float = 1.0,
) -> Round:
    """A federation of these sites; what the coordinator sees of its last round. noise: as in `watch`."""
    last: list[Round] = []

    def keep(seen: Round) -> None:
        last[:] = [seen]
        on_round(seen.number, config.federation.rounds)

    plain = {site: t.drop(columns="role", errors="ignore") for site, t in tables.items()}
    watch(config, plain, images, folder, keep, noise=noise)
    return last[0]


def signals_of(
    config: Config,
    seen: Mapping[str, Arrays],
    standardisation: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    images: ImageStore,
) -> Signals:
    """Losses of everybody asked after, under the model seen of their site."""
    attacker = Attacker.of(config)
    found: Signals = {}
    for site, table in tables.items():
        asked = table[table["role"].isin(("train", "out"))].reset_index(drop=True)
        attacker.take(seen[site])
        losses = attacker.losses(attacker.dataset(asked, images, standardisation))
        found[site] = {name: by_patient(values, asked["patient_id"]) for name, values in losses.items()}
    return found


def attack(
    config: Config, last: Round, reference: Signals, tables: Mapping[str, pd.DataFrame], images: ImageStore
) -> dict[str, dict[str, Any]]:
    """Signal to attack to figures, for one federation.

    reference: the same signals under the attacker's own model, which is not of the view's architecture where that is
    another preset's; grading is comparable all the same.
    """
    seen = {site: last.seen(site) for site in tables}
    losses = signals_of(config, seen, last.standardisation, tables, images)
    member = {
        site: table.groupby("patient_id", sort=False)["role"].first().eq("train")
        for site, table in tables.items()
    }
    found: dict[str, dict[str, Any]] = {}
    for name in next(iter(losses.values())):
        of = {"loss": {site: -own[name] for site, own in losses.items()}}
        if all(name in own for own in reference.values()):
            of["calibrated"] = {site: reference[site][name] - own[name] for site, own in losses.items()}
        found[name] = {kind: figures(*_pooled(scores, member)) for kind, scores in of.items()}
    return found


def _pooled(
    scores: Mapping[str, pd.Series], member: Mapping[str, pd.Series]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores of all sites, each on its own scale (its median and spread), and who was a member."""
    values, truth = [], []
    for site, own in scores.items():
        known = own.dropna()
        spread = known.std() or 1.0
        values.append(((known - known.median()) / spread).to_numpy())
        truth.append(member[site].loc[known.index].to_numpy())
    return np.concatenate(values), np.concatenate(truth).astype(bool)


def figures(scores: NDArray[np.float64], member: NDArray[np.bool_]) -> dict[str, Any]:
    """AUROC and the true positive rate at 1 % false positives, with 95 % bootstrap intervals over patients.

    scores: of each patient, larger for a member. Both classes must be there. chance: the probability of scores that
    speak as much for members where they tell nothing (Mann and Whitney 1947, one-sided).
    """
    random = numpy_generator(0, "audit", "membership", "bootstrap")
    inside, outside = np.flatnonzero(member), np.flatnonzero(~member)
    draws = [
        np.concatenate([random.choice(inside, len(inside)), random.choice(outside, len(outside))])
        for _ in range(RESAMPLES)
    ]
    chance = mannwhitneyu(scores[inside], scores[outside], alternative="greater").pvalue
    found: dict[str, Any] = {"members": len(inside), "others": len(outside), "chance": float(chance)}
    measured = rates(member, scores)
    with config_context(assume_finite=True, skip_parameter_validation=True):  # checked once, just before
        resampled = [rates(member[draw], scores[draw]) for draw in draws]
    for name, value, values in zip(("auroc", "tpr"), measured, zip(*resampled, strict=True), strict=True):
        low, high = np.quantile(values, [0.025, 0.975])
        found[name] = {"value": value, "low": float(low), "high": float(high)}
    return found


def rates(member: NDArray[np.bool_], scores: NDArray[np.float64]) -> tuple[float, float]:
    """AUROC, and the share of members above the threshold that at most 1 % of the others pass."""
    false, true, _ = roc_curve(member, scores, drop_intermediate=False)
    return float(auc(false, true)), float(true[false <= FALSE_POSITIVES].max())
