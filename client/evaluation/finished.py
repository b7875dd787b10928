"""The three questions about a finished model: of whom each is answered, and what is told of the predictions.

A worker of a hospital answers them behind its policy and keeps what it told; a simulated one answers as often as it
is asked. Both answer in these words, so that a federation and a simulation of it end in one table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from client.evaluation.losses import temperature_answer
from client.evaluation.scores import scores_answer
from client.evaluation.site_figures import site_figures
from client.statistics.policy import Policy
from shared_model.calibration import Calibration
from shared_model.metrics.predictions import Predictions

Finished = Literal["temperature", "scores", "site_figures"]


class Tell(Protocol):
    """How predictions become sums."""

    def __call__(self, predictions: Predictions, policy: Policy, *, key: bytes = b"") -> dict[str, Any]:
        """The message of a site. key: the site's secret that orders who is held back."""
        ...


@dataclass(frozen=True)
class Answering:
    """split: whose predictions the answer is made of. tell: how."""

    split: str
    tell: Tell


def answering(question: Finished, fields: Mapping[str, Any]) -> Answering:
    """How `question` is answered. fields: of the request; scores are told at the temperatures in its `calibration`.

    Raises DataError for a calibration that is malformed.
    """
    if question == "temperature":
        return Answering("validation", temperature_answer)
    if question == "site_figures":
        return Answering("test", site_figures)
    calibration = Calibration.from_dict(fields.get("calibration") or {})

    def tell(predictions: Predictions, policy: Policy, *, key: bytes = b"") -> dict[str, Any]:
        return scores_answer(predictions, calibration, policy, key=key)

    return Answering("validation", tell)
