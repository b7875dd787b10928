"""Table V: models trained on one data set, read on another that no training saw.

The other data come through an adapter of their own (a site.toml) or in the configured layout; every record is tested
on. A document is kept beside each model, so that asking again costs nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from client.data.images import ImageStore
from shared_model.artefact import write_json
from shared_model.config import Config
from shared_model.files import naming_disk_errors
from shared_model.metrics.document import EVERY_SITE, model_figures
from shared_model.progress import RunProgress
from simulations.experiments import Experiment, Result
from simulations.experiments.carry_out import judged_with, predict_with
from simulations.experiments.results import reading_of
from simulations.experiments.study import SECOND
from simulations.prepare import read_records


class SecondData:
    """Another data folder, read once. folder: where its photographs are laid out."""

    def __init__(self, data: Path, folder: Path, config: Config, progress: RunProgress) -> None:
        store = folder / SECOND
        with naming_disk_errors(store):
            store.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.table, self._images, self.quarantine, self.notices = read_records(
            data,
            config,
            store,
            lambda done, total: progress.update("reading the second data", done, total, unit="files"),
        )
        self._progress = progress
        self._fingerprint = _fingerprint(self.table, self._images)

    def results(self, experiments: Sequence[tuple[Experiment, Result]]) -> dict[Experiment, Result]:
        """The same models with their figures on these data; failures stay failures."""
        found: dict[Experiment, Result] = {}
        for number, (one, result) in enumerate(experiments, start=1):
            found[one] = result if result.failed else self._result(one, result)
            self._progress.update("models on the second data", number, len(experiments), unit="read")
        return found

    def _result(self, one: Experiment, result: Result) -> Result:
        reading = reading_of(one.config)
        kept = result.folder / f"second-{self._fingerprint}.json"
        document = _read(kept)
        if document.get("reading") != reading:
            evaluation = one.config.evaluation
            predictions = predict_with(judged_with(one.config, result.folder, self._images), self.table, {})
            figures = model_figures(predictions, [], evaluation.resamples, evaluation.bootstrap_seed)
            document = {"reading": reading, EVERY_SITE: figures[EVERY_SITE]}
            write_json(kept, document)
        return Result({**result.document, "figures": document, "majority": {}}, result.folder)


def _fingerprint(table: pd.DataFrame, images: ImageStore) -> str:
    hashed = pd.util.hash_pandas_object(table.drop(columns=["image_path", "split"]), index=False)
    digest = hashlib.sha256(hashed.to_numpy().tobytes())
    for record in table["record_id"]:
        digest.update(images.digests[record].encode())
    return digest.hexdigest()[:16]


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}
