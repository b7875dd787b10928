"""What is kept of a trained model: its weights, its history, and one document of figures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared_model.artefact import write_json
from shared_model.config import Config
from shared_model.errors import FedFundusError
from shared_model.metrics.document import EVERY_SITE, SCHEMA
from simulations.experiments.graded import GRADED

RESULT = "result.json"


@dataclass(frozen=True)
class Result:
    """document: as written by simulations.experiments.carry_out; failed: why there is none (then it is empty)."""

    document: Mapping[str, Any]
    folder: Path
    failed: str = ""

    def figures(self, on: str = EVERY_SITE) -> Mapping[str, Any]:
        """The model's figures over all sites' test patients, or one site's."""
        return (self.document.get("figures") or {}).get(on) or {}

    def majority(self, on: str = EVERY_SITE) -> Mapping[str, Any]:
        """The figures of the most frequent training grade on the same patients."""
        return (self.document.get("majority") or {}).get(on) or {}

    @classmethod
    def of_failure(cls, error: FedFundusError, folder: Path) -> Result:
        """A model that could not be trained."""
        return cls({}, folder, error.what)


def reading_of(config: Config) -> str:
    """What the figures of a result depend on beside the model: another version's are made anew."""
    evaluation = config.evaluation
    return f"{SCHEMA} {evaluation.resamples} {evaluation.bootstrap_seed} with {GRADED}"


def read_result(folder: Path) -> Result | None:
    """A finished experiment's result; None where it is not finished or was damaged."""
    try:
        document = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return Result(document, folder) if isinstance(document, dict) and "figures" in document else None


def write_result(folder: Path, document: Mapping[str, Any]) -> None:
    """The last thing written of an experiment: with it, it is finished."""
    write_json(folder / RESULT, document)
