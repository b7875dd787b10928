"""What an evaluation says beyond its figures: how far to trust them, for whom, and whether retrieval cheats.

A finished run and `evaluate` both go through here, and the pooled table is made from the very messages that sites of
a real federation send, so that all print the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from client.cache.trunk_cache import Reading
from client.data.images import ImageStore
from client.evaluation import scores_answer, site_figures, temperature_answer
from client.inference.guard import retrieval_guard
from client.inference.predict import predict
from client.statistics.policy import Policy
from server.evaluation import fit_points, fit_temperature, pool_figures
from shared_model.calibration import Calibration
from shared_model.config import Config
from shared_model.evaluation import GRID, INPUTS
from shared_model.metrics.grading import Floats
from shared_model.metrics.predictions import Predictions
from shared_model.metrics.subgroups import subgroup_figures
from shared_model.metrics.trust import trust
from shared_model.model import FusionModel, Tokenizer
from shared_model.records import TASKS
from shared_model.statistics import Standardisation
from simulations.inference import read_through

ONE_SITE = "data"  # whose message it is where the data have no sites


@dataclass(frozen=True)
class Judged:
    """A model with what it takes to read records, and the photographs it is tried on.

    workspace: of the run whose cache of features it is fitted through; None for none.
    """

    model: FusionModel
    tokenizer: Tokenizer
    standardisation: Standardisation
    config: Config
    images: ImageStore
    workspace: Path | None = None

    def fit(self, validation: pd.DataFrame, sites: Mapping[str, Sequence[str]]) -> Calibration:
        """The calibration of every site's validation patients, by the messages they would send."""
        if validation.empty:
            return Calibration()
        site_of = {patient: site for site, patients in sites.items() for patient in patients}
        reading = Reading(self.model, self.tokenizer, self.standardisation, self.config)
        with read_through(self.workspace, validation, self.images, reading) as dataset:
            found = predict(
                self.model,
                dataset,
                np.arange(len(dataset)),
                site_of,
                mask_notes=self.config.losses.mask_notes,
                batch_size=self.config.evaluation.batch_size,
            )
        policy, parts = _policy(self.config), _by_site(found, sites).values()
        calibration = fit_temperature(temperature_answer(part, policy) for part in parts)
        return fit_points(calibration, (scores_answer(part, calibration, policy) for part in parts))

    def guard(self, tested: pd.DataFrame) -> dict[str, Any]:
        """`guard` of the document, on records that were tested."""
        return retrieval_guard(
            self.model,
            tested,
            self.images,
            self.tokenizer,
            self.standardisation,
            mask_notes=self.config.losses.mask_notes,
            batch_size=self.config.evaluation.batch_size,
            seed=self.config.seed,
        )


def judgement(
    predictions: Predictions,
    sites: Sequence[str],
    temperatures: Mapping[str, float | Floats],
    guard: Mapping[str, Any],
    config: Config,
    *,
    image_temperatures: Mapping[str, float | Floats] | None = None,
    calibrations: Sequence[Calibration] = (),
) -> dict[str, Any]:
    """`trust`, `subgroups`, `guard`, `pooled` and `verdict` of the document.

    temperatures: task -> one number, or one a sample where folds have a model each; tasks without one have none.
    image_temperatures: the same from the photograph alone.
    calibrations: those of the model, or of every fold's, for what the verdict says of them. A guard that failed is an
    error of the verdict.
    """
    resampling = config.evaluation.resamples, config.evaluation.bootstrap_seed
    messages = {
        name: site_figures(part, _policy(config)) for name, part in _by_site(predictions, sites).items()
    }
    return {
        "trust": trust(predictions, temperatures, *resampling, image_temperatures=image_temperatures),
        "subgroups": {task: subgroup_figures(predictions, task, "all", *resampling) for task in TASKS},
        "guard": dict(guard),
        "pooled": pool_figures(messages.items()),
        "verdict": verdict(guard, temperatures, predictions, calibrations),
    }


def all_passed(guards: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The guards of several models (folds) as one: passed where every one that ran did."""
    ran = [guard for guard in guards if guard["ran"]]
    if not ran:
        return dict(guards[0])
    changed = {side: sum(guard["changed"][side] for guard in ran) for side in ("text", "image")}
    return {
        **ran[0],
        "records": sum(guard["records"] for guard in ran),
        "passed": all(guard["passed"] for guard in ran),
        "changed": changed,
        "paired_changed": any(guard["paired_changed"] for guard in ran),
    }


def verdict(
    guard: Mapping[str, Any],
    temperatures: Mapping[str, Any],
    predictions: Predictions,
    calibrations: Sequence[Calibration] = (),
) -> dict[str, Any]:
    """`verdict` of the document: ok, errors (figures that must not be believed) and warnings, as sentences."""
    errors, warnings = [], []
    if guard["passed"] is False:
        errors.append(
            "Retrieval leaks: with another photograph beside it, the vector of a note or of a photograph changed "
            f"({guard['changed']['text']} notes and {guard['changed']['image']} photographs of {guard['records']}). "
            "The unimodal figures are not those of a retrieval system."
        )
    if guard["passed"] is None:
        warnings.append(f"The leak guard did not run: {guard['unavailable']}.")
    for task in TASKS:
        if (predictions.labels(task) < 0).all():
            warnings.append(f"{task.upper()} is not available: no record has a label.")
            continue
        warnings += _of_temperatures(task, task in temperatures, calibrations)
    broken = int(np.any([predictions.broken(task) for task in predictions.probabilities], axis=0).sum())
    if broken:
        errors.append(f"{broken} of {len(predictions)} photographs have a score that is not a number.")
    return {"ok": not errors, "errors": errors, "warnings": warnings}


def _of_temperatures(task: str, fitted: bool, calibrations: Sequence[Calibration]) -> list[str]:
    """Where probabilities are not calibrated, or perhaps not enough: sentences for a person."""
    why = sorted({reason for one in calibrations if (reason := one.why_unfitted(task))})
    told = f" ({'; '.join(why)})" if why else ""
    said = []
    if not fitted:
        said.append(f"No temperature was fitted for {task.upper()}{told}: its probabilities are as they are.")
    elif why:
        some = sum(one.why_unfitted(task) is not None for one in calibrations)
        said.append(f"{some} of {len(calibrations)} models have no temperature for {task.upper()}{told}.")
    if any(one.at_edge(task, given) for one in calibrations for given in INPUTS):
        said.append(
            f"The temperature of {task.upper()} lies at the edge of what was tried ({GRID[0]:g} to {GRID[-1]:g}): a "
            "better one may lie beyond it, so its probabilities may not mean what they say."
        )
    return said


def _policy(config: Config) -> Policy:
    return Policy(minimum_cell=config.data.minimum_cell)


def _by_site(predictions: Predictions, sites: Sequence[str] | Mapping[str, Any]) -> dict[str, Predictions]:
    parts = {site: predictions.select(predictions.site == site) for site in sites}
    return parts or {ONE_SITE: predictions}
