"""`fedfundus-simulate crossvalidate`: for data sets too small for one test split.

Each fold in turn is the test set of a federation trained on the others; the folds' predictions are pooled before
any figure is computed, so that every photograph is tested once. Byte-identical photographs share a fold.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from client.data.images import ImageStore
from client.data.split import folds
from client.training.machine import on_this_machine
from server.store import RunFolder
from shared_model.artefact import write_json
from shared_model.calibration import Calibration
from shared_model.config import Config, to_toml
from shared_model.files import write_text
from shared_model.metrics.document import SCHEMA, majority_predictions, model_figures
from shared_model.metrics.modalities import modality_worth
from shared_model.metrics.predictions import Predictions, concatenate
from shared_model.private_training import require_private_run
from shared_model.progress import RunProgress
from shared_model.version import PACKAGE_VERSION
from simulations.engines import require_engine
from simulations.evaluation_page import Shown, Temperatures, check_page, evaluation_page, write_page
from simulations.judgement import all_passed, judgement
from simulations.output import output_folder
from simulations.prepare import Prepared, read_numbered, write_workspace
from simulations.run import MAJORITY, QUARANTINE, class_counts, judged_of, say_notices
from simulations.training import FEDERATED, Training

VALIDATION_SHARE = 9  # one fold of the training patients in so many is validated on


@dataclass(frozen=True)
class _Tested:
    """One fold: what its model said, what the majority of its training grades would, and how far it holds."""

    predictions: Predictions
    floor: Predictions
    calibration: Calibration
    guard: dict[str, Any]


@dataclass
class CrossValidation:
    """`count` federations over one data folder."""

    config: Config
    data: Path
    count: int
    out: Path
    progress: RunProgress
    report: Path | None = None

    def execute(self) -> dict[str, Any]:
        """Federate once a fold; the document of metrics.json, whose figures pool the folds' test predictions."""
        started = time.perf_counter()
        require_private_run(self.config)
        require_engine(self.config)
        check_page(self.report)
        evaluation = self.config.evaluation.model_copy(update={"comparison": False})
        self.config = self.config.model_copy(update={"evaluation": evaluation})
        # Each fold takes the same steps, and no report tells a person where one of them stopped.
        training = self.config.training.model_copy(update={"early_stopping": 0})
        self.config = self.config.model_copy(update={"training": training})
        self.config = on_this_machine(self.config)
        with output_folder(self.out) as folder:
            document, page = self._into(folder)
            document["run"]["seconds"] = round(time.perf_counter() - started, 1)
            write_json(folder / "metrics.json", document)
            write_text(folder / "config.toml", to_toml(self.config))
        if self.report is not None:
            write_page(self.report, page)
        return document

    def _into(self, folder: Path) -> tuple[dict[str, Any], str]:
        """The document and, if it is wanted, its page."""
        store = folder / "photographs"
        store.mkdir()
        read = read_numbered(self.data, self.config, store, self._reading)
        table, images, quarantine, notices, lines = read
        if (self.data / "split.csv").exists():
            notices = [n for n in notices if "split.csv" not in n]
            notices.append("Cross-validation deals every patient to a fold: split.csv is not used.")
        write_text(folder / QUARANTINE, quarantine.to_csv(index=False))
        fold_of = folds(table, self.count, self.config.seed, digests=images.digests)
        done: list[_Tested] = []
        for fold in range(self.count):
            split = _split(table, images, fold_of, fold, self.config.seed)
            # A workspace of its own: whatever a process remembers of another fold's sites does not fit this one.
            workspace = folder / f"fold-{fold + 1}"
            workspace.mkdir()
            for part in store.iterdir():
                (workspace / part.name).symlink_to(part)
            prepared = write_workspace(split, images, self.config, workspace, quarantine, notices)
            if fold == 0:
                say_notices(self.progress, prepared)
            done.append(self._tested(prepared, workspace, fold))
            shutil.rmtree(workspace)
        federated, floor = (
            concatenate([one.predictions for one in done]),
            concatenate([one.floor for one in done]),
        )
        document = self._document({FEDERATED: federated, MAJORITY: floor}, quarantine, notices)
        temperatures = _temperatures(done)
        document |= judgement(
            federated,
            [],
            temperatures,
            all_passed([one.guard for one in done]),
            self.config,
            image_temperatures=_temperatures(done, "image"),
            calibrations=[one.calibration for one in done],
        )
        page = self._page(document, federated, temperatures, Shown(table, images, lines))
        shutil.rmtree(store)
        return document, page

    def _page(
        self, document: dict[str, Any], federated: Predictions, temperatures: Temperatures, shown: Shown
    ) -> str:
        if self.report is None:
            return ""
        seed = self.config.evaluation.bootstrap_seed
        return evaluation_page(document, federated, temperatures, shown, seed)

    def _tested(self, prepared: Prepared, workspace: Path, fold: int) -> _Tested:
        """Train on the other folds and test on this one."""
        label = f"fold {fold + 1} of {self.count}"
        training = Training(self.config, prepared, workspace, workspace, self.progress, label)
        predictions = _fold_free(training.run()[FEDERATED]["last"])
        judged, split = judged_of(self.config, RunFolder(workspace), prepared, workspace), prepared.table
        return _Tested(
            predictions,
            majority_predictions(predictions, class_counts(split)),
            judged.fit(split[split["split"] == "validation"], prepared.sites),
            judged.guard(split[split["split"] == "test"]),
        )

    def _reading(self, done: int, total: int) -> None:
        self.progress.update("reading photographs", done, total, unit="files")

    def _document(
        self, models: dict[str, Predictions], quarantine: pd.DataFrame, notices: list[str]
    ) -> dict[str, Any]:
        evaluation, federation = self.config.evaluation, self.config.federation
        resampling = evaluation.resamples, evaluation.bootstrap_seed
        return {
            "schema": SCHEMA,
            "models": {name: model_figures(p, [], *resampling) for name, p in models.items()},
            "comparisons": [],
            "modalities": modality_worth(models[FEDERATED], [], *resampling),
            "run": {
                "folds": self.count,
                "preset": self.config.preset,
                "partition": federation.partition,
                "rounds": federation.rounds,
                "local_steps": self.config.training.local_steps,
                "seed": self.config.seed,
                "quarantined": len(quarantine),
                "notices": notices,
                "resamples": evaluation.resamples,
                "package_version": PACKAGE_VERSION,
            },
        }


def _split(
    table: pd.DataFrame, images: ImageStore, fold_of: NDArray[np.int64], fold: int, seed: int
) -> pd.DataFrame:
    """The table with this fold as test, a tenth of the rest as validation, groups of patients kept whole."""
    split = np.full(len(table), "train", dtype=object)
    rest = np.flatnonzero(fold_of != fold)
    inner = folds(table.iloc[rest].reset_index(drop=True), VALIDATION_SHARE, seed, digests=images.digests)
    split[rest[inner == 0]] = "validation"
    split[fold_of == fold] = "test"
    return table.assign(split=pd.Series(split, index=table.index, dtype=table["split"].dtype))


def _temperatures(done: Sequence[_Tested], given: str = "all") -> dict[str, NDArray[np.float64]]:
    """Each photograph's temperature: that of the fold's model, for the tasks that any fold has one for."""
    sizes = [len(one.predictions) for one in done]
    of_fold = [one.calibration for one in done]
    fitted = {t for c in of_fold for t in (c.image_temperature if given == "image" else c.temperature)}
    return {task: np.repeat([c.of(task, given) for c in of_fold], sizes) for task in sorted(fitted)}


def _fold_free(predictions: Predictions) -> Predictions:
    """Without what belongs to one fold's model: its sites, and its embedding space, in which no other fold's
    photographs can be looked for.
    """
    nobody = np.full(len(predictions), "", dtype=str)
    no_note = np.full(len(predictions), -1, dtype=np.int64)
    return replace(predictions, site=nobody, note=no_note, embeddings={})
