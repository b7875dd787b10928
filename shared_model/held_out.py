"""How good a model was on patients it never saw, in the few figures that whoever uses it should be shown.

Copied from the document of its evaluation when the model folder is written, so that they travel with the weights. A
model without them is used all the same, and it is then said that nobody knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared_model.errors import DataError
from shared_model.metrics.retrieval import KS
from shared_model.records import TASKS
from shared_model.statistics.reading import count, number

SCHEMA = "fedfundus.held_out/1"
_RETRIEVAL = (
    "n",
    "unique_notes",
    *(f"{name}_at_{k}" for name in ("recall", "chance", "ceiling") for k in KS),
)
_GRADING = ("n", "accuracy", "quadratic_weighted_kappa")
_COUNTS = ("n", "unique_notes")

Figures = Mapping[str, float | None]


@dataclass(frozen=True)
class HeldOut:
    """retrieval: a note among photographs by the unimodal protocol. grading: task -> input (all, image) -> figures. A
    figure that the data did not support is None, and so is what has none at all.
    """

    retrieval: Figures | None
    grading: Mapping[str, Mapping[str, Figures]]

    @classmethod
    def of(cls, figures: Mapping[str, Any]) -> HeldOut:
        """From `models.MODEL.all` of the document (docs/metrics.md)."""
        found = figures["retrieval"]["unimodal"]["text_to_image"]
        grading = {
            task: {"all": _chosen(figures[task], _GRADING), "image": _from_image(figures[task])}
            for task in TASKS
        }
        retrieval = None if found["recall_at_1"] is None else _chosen(found, _RETRIEVAL)
        return cls(retrieval, grading)

    def to_dict(self) -> dict[str, Any]:
        """Plain and JSON-serialisable: model/held_out.json."""
        grading = {task: {given: dict(f) for given, f in by.items()} for task, by in self.grading.items()}
        retrieval = None if self.retrieval is None else dict(self.retrieval)
        return {"schema": SCHEMA, "retrieval": retrieval, "grading": grading}

    @classmethod
    def from_dict(cls, message: Mapping[str, Any]) -> HeldOut:
        """The figures of a model folder. Raises DataError for what no evaluation could have written."""
        try:
            if message["schema"] != SCHEMA:
                raise ValueError("another schema")
            told = message["retrieval"]
            grading = {
                task: {given: _read(message["grading"][task][given], _GRADING) for given in ("all", "image")}
                for task in TASKS
            }
            return cls(None if told is None else _read(told, _RETRIEVAL), grading)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"the held-out figures cannot be understood ({type(error).__name__}: {error!s:.60})",
                where="held_out.json",
                fix="copy the folder again, or remove the file: the figures are then unknown",
            ) from None


def _from_image(figures: Mapping[str, Any]) -> Figures:
    return _chosen(figures["by_input"]["image"], _GRADING)


def _chosen(figures: Mapping[str, Any], names: tuple[str, ...]) -> Figures:
    return {name: figures[name] for name in names}


def _read(figures: Mapping[str, Any], names: tuple[str, ...]) -> Figures:
    found: dict[str, float | None] = {}
    for name in names:
        value = figures[name]
        found[name] = value if value is None else count(value) if name in _COUNTS else number(value)
    return found
