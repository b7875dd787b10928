"""`fedfundus-simulate evaluate`: a finished model's figures on a data folder, described in docs/metrics.md."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from client.data.dataset import SiteDataset
from client.data.images import PIPELINE_VERSION, ImageStore
from client.inference.predict import predict
from shared_model.artefact import Artefact, load_artefact
from shared_model.config import Config
from shared_model.errors import ConfigError, DataError, FedFundusError
from shared_model.metrics.document import SCHEMA, majority_predictions, model_figures
from shared_model.metrics.modalities import modality_worth
from shared_model.metrics.predictions import Predictions
from shared_model.progress import RunProgress
from shared_model.version import PACKAGE_VERSION
from simulations import withholding
from simulations.evaluation_page import Shown, check_page, evaluation_page, write_page
from simulations.judgement import Judged, judgement
from simulations.partitions import Partition
from simulations.prepare import deal, read_numbered
from simulations.run import MAJORITY
from simulations.trained_on import training_warning
from simulations.training import FEDERATED

SPLITS = ("test", "all")


def evaluate_model(
    folder: Path,
    data: Path,
    split: str,
    progress: RunProgress,
    *,
    adapter: str = "",
    report: Path | None = None,
) -> dict[str, Any]:
    """The document of metrics.json for one model; sites are the data's own centres.

    split: "test" evaluates the patients that a run on this same data set left for testing (the split follows from
    the model's seed), "all" every record, for data the model never saw, with a warning that it may have. adapter:
    how to read the folder, where not as the model's own data. report: where to write the page, which shows photographs
    and stays with the data.
    """
    if split not in SPLITS:
        raise ConfigError(
            f"there is no split {split!r}", where="--split", fix=f"use one of: {', '.join(SPLITS)}"
        )
    check_page(report)
    artefact = load_artefact(folder, PIPELINE_VERSION)
    artefact = replace(artefact, config=_read_by(artefact.config, adapter))
    with tempfile.TemporaryDirectory(prefix="fedfundus-") as workspace:
        evaluation = _Evaluation(folder, artefact, data, split, Path(workspace), progress)
        document, predictions, shown = evaluation.execute()
        page = _page(document, predictions, artefact, shown) if report is not None else ""
    if report is not None:
        write_page(report, page)
    return document


@dataclass(frozen=True)
class _Evaluation:
    """One model on one data folder, its photographs prepared in `workspace`."""

    folder: Path
    artefact: Artefact
    data: Path
    split: str
    workspace: Path
    progress: RunProgress

    def execute(self) -> tuple[dict[str, Any], Predictions, Shown]:
        """The document, and what a page would be made of while the workspace is there."""
        artefact, config = self.artefact, self.artefact.config
        table, images, quarantine, notices, lines = read_numbered(
            self.data, config, self.workspace, self._reading
        )
        dealt = _dealt(table, config, images, notices)
        parts = dealt.sites if dealt else {}
        warnings = [training_warning(self.folder, table, dealt, config)] if self.split == "all" else []
        if self.split == "test":
            table = _as_the_run(table, parts, config, notices)
        tested = table if self.split == "all" else table[table["split"] == "test"]
        if tested.empty:
            raise DataError("there is no test patient", where=str(self.data), fix="use --split all")
        site_of = {patient: site for site, patients in parts.items() for patient in patients}
        predictions = _predictions(artefact, tested, images, site_of, self.progress)
        judged = Judged(artefact.model, artefact.tokenizer, artefact.standardisation, config, images)
        calibration = artefact.calibration
        document = {
            "schema": SCHEMA,
            **_figures(artefact, predictions, sorted(parts)),
            **judgement(
                predictions,
                sorted(parts),
                calibration.temperature,
                judged.guard(tested),
                config,
                image_temperatures=calibration.image_temperature,
                calibrations=[calibration],
            ),
            "run": _facts(config, self.split, len(predictions), quarantine, notices),
        }
        self._warn(document, warnings)
        return document, predictions, Shown(table, images, lines)

    def _warn(self, document: dict[str, Any], warnings: list[str]) -> None:
        """Before any other warning of the verdict, and to whoever waits at the terminal."""
        document["verdict"]["warnings"][:0] = warnings
        for warning in warnings:
            self.progress.say(f"warning: {warning}")

    def _reading(self, done: int, total: int) -> None:
        self.progress.update("reading photographs", done, total, unit="files")


def _page(document: dict[str, Any], predictions: Predictions, artefact: Artefact, shown: Shown) -> str:
    seed = artefact.config.evaluation.bootstrap_seed
    return evaluation_page(document, predictions, artefact.calibration.temperature, shown, seed)


def _facts(
    config: Config, split: str, records: int, quarantine: pd.DataFrame, notices: list[str]
) -> dict[str, Any]:
    """`run` of the document."""
    return {
        "split": split,
        "records": records,
        "quarantined": len(quarantine),
        "quarantine": quarantine.to_dict(orient="records"),
        "notices": notices,
        "resamples": config.evaluation.resamples,
        "package_version": PACKAGE_VERSION,
    }


def _read_by(config: Config, adapter: str) -> Config:
    """The model's configuration with another adapter, if one is named."""
    if not adapter:
        return config
    return config.model_copy(update={"data": config.data.model_copy(update={"adapter": adapter})})


def _figures(artefact: Artefact, predictions: Predictions, sites: list[str]) -> dict[str, Any]:
    evaluation = artefact.config.evaluation
    resampling = evaluation.resamples, evaluation.bootstrap_seed
    counts = {task: list(count) for task, count in artefact.standardisation.class_counts.items()}
    models = {FEDERATED: predictions, MAJORITY: majority_predictions(predictions, counts)}
    return {
        "models": {name: model_figures(p, sites, *resampling) for name, p in models.items()},
        "comparisons": [],
        "modalities": modality_worth(predictions, sites, *resampling),
    }


def _predictions(
    artefact: Artefact,
    tested: pd.DataFrame,
    images: ImageStore,
    site_of: dict[str, str],
    progress: RunProgress,
) -> Predictions:
    dataset = SiteDataset(tested, images, artefact.tokenizer, artefact.standardisation)
    batch, total = artefact.config.evaluation.batch_size, len(dataset)
    seen = 0

    def batch_done() -> None:
        nonlocal seen
        seen = min(total, seen + batch)
        progress.update("grading", seen, total, unit="records")

    return predict(
        artefact.model,
        dataset,
        np.arange(total),
        site_of,
        mask_notes=artefact.config.losses.mask_notes,
        batch_size=batch,
        on_batch=batch_done,
    )


def _dealt(table: pd.DataFrame, config: Config, images: ImageStore, notices: list[str]) -> Partition | None:
    """Patients dealt to sites as the run dealt them; on other data its centres or, without any, None."""
    try:
        parts = deal(table, images, config)
    except FedFundusError as error:  # other data may have no such centres, cameras or numbers
        notices.append(
            f"These data cannot be dealt to sites as the run's were ({error.what}): figures are over all."
        )
        return None
    notices.extend(notice for notice in parts.notices if notice not in notices)
    return parts


def _as_the_run(
    table: pd.DataFrame, parts: dict[str, list[str]], config: Config, notices: list[str]
) -> pd.DataFrame:
    """The table without what the run withheld from its sites, so that the run's own figures come out again."""
    withhold = {site: names for site, names in config.federation.withhold.items() if site in parts}
    notices.extend(withholding.notices(withhold))
    return withholding.withheld(table, parts, withhold)
