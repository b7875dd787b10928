"""A finished model as it is put to use: loaded, named by its hash, and asked only for what it was trained to say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from client.data.pipeline import PIPELINE_VERSION
from shared_model.artefact import Artefact, load_artefact
from shared_model.errors import DataError
from shared_model.records import TASKS

NOTICE = "Research use, not a medical device."


@dataclass(frozen=True)
class Finished:
    """artefact: the loaded folder. sha256: of its weights. tasks: those it was trained on, ICDR first."""

    artefact: Artefact
    sha256: str
    tasks: tuple[str, ...]

    @classmethod
    def load(cls, folder: Path) -> Finished:
        """The model in a folder. Raises DataError for one that cannot be used, or that reads no photographs."""
        artefact = load_artefact(folder, PIPELINE_VERSION)
        if "image" not in artefact.model.config.inputs or not artefact.standardisation.images:
            raise DataError(
                "this model reads no photographs",
                where=str(folder),
                fix="give the model of a run with image among model.inputs",
            )
        counts = artefact.standardisation.class_counts
        return cls(artefact, artefact.sha256, tuple(task for task in TASKS if sum(counts[task])))
