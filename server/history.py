"""What is kept of a round: who trained, on how much, how well the model did on validation records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from shared_model.metrics.grading import figures
from shared_model.records import TASKS

TOGETHER = "all sites"  # in place of a site's name, where only the sum of all was seen


@dataclass(frozen=True)
class Site:
    """One site's part in a round. loss: None where nobody knows it: under secure aggregation, and of private rounds,
    which tell no losses. seconds: 0 where the site does not tell them (private rounds, masked ones).
    """

    examples: int
    loss: float | None
    losses: dict[str, float]
    loss_weights: dict[str, float]
    seconds: float
    bytes_up: int
    bytes_down: int

    @classmethod
    def of(cls, fields: Mapping[str, Any], bytes_up: int, bytes_down: int) -> Site:
        """From the fields of a site's answer to `train`, and the bytes of its messages."""
        return cls(
            fields["examples"],
            fields["loss"] if fields["losses"] else None,
            fields["losses"],
            fields["loss_weights"],
            fields["seconds"],
            bytes_up,
            bytes_down,
        )


@dataclass
class RoundRecord:
    """Round `number` of the model `label`; number 0 is the model before training.

    bytes_*: tensors and fields of all its messages. wire_*: what the transport says that it carried meanwhile, framing
    and all, None where it says nothing. evaluation_*: of asking once more how good the last model is, which belongs to
    no round's exchange.
    """

    label: str
    number: int
    learning_rate: float
    seconds: float = 0.0
    bytes_up: int = 0
    bytes_down: int = 0
    wire_up: int | None = None
    wire_down: int | None = None
    evaluation_bytes_up: int = 0
    evaluation_bytes_down: int = 0
    evaluation_wire_up: int | None = None
    evaluation_wire_down: int | None = None
    sites: dict[str, Site] = field(default_factory=dict)
    validations: dict[str, dict[str, Any]] = field(default_factory=dict)
    together: dict[str, Any] = field(default_factory=dict)  # what secure aggregation told of training

    def to_dict(self) -> dict[str, Any]:
        """The line of history.jsonl."""
        names = (self.sites.keys() | self.validations.keys()) - {TOGETHER}
        return {
            "model": self.label,
            "round": self.number,
            "seconds": round(self.seconds, 4),
            "learning_rate": self.learning_rate,
            "bytes_up": self.bytes_up,
            "bytes_down": self.bytes_down,
            "wire_up": self.wire_up,
            "wire_down": self.wire_down,
            "evaluation_bytes_up": self.evaluation_bytes_up,
            "evaluation_bytes_down": self.evaluation_bytes_down,
            "evaluation_wire_up": self.evaluation_wire_up,
            "evaluation_wire_down": self.evaluation_wire_down,
            "validation": pooled_validation(self.validations),
            "sites": {name: self._site(name) for name in sorted(names)},
            **({"together": self.together} if self.together else {}),
        }

    def state(self) -> dict[str, Any]:
        """For the checkpoint: everything, as it stands before the model's validation is known."""
        return asdict(self)

    @classmethod
    def restored(cls, document: Mapping[str, Any]) -> RoundRecord:
        """From what `state` gave."""
        sites = {name: Site(**site) for name, site in document["sites"].items()}
        return cls(**{**document, "sites": sites})

    def _site(self, name: str) -> dict[str, Any]:
        validation = pooled_validation({name: self.validations[name]} if name in self.validations else {})
        site = self.sites.get(name)
        return {
            "examples": site.examples if site else 0,
            "train_loss": site.loss if site else None,
            "losses": site.losses if site else {},
            "loss_weights": site.loss_weights if site else {},
            "validation_loss": validation.pop("loss"),
            "validation": validation,
            "seconds": round(site.seconds, 4) if site and site.seconds else None,  # 0 would read as measured
            "bytes_up": site.bytes_up if site else 0,
            "bytes_down": site.bytes_down if site else 0,
        }


def pooled_validation(validations: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Exact pooling: losses by their counts, grading figures from summed confusion matrices."""
    examples = sum(answer["examples"] for answer in validations.values())
    loss = sum(answer["loss_sum"] for _, answer in sorted(validations.items()))
    pooled: dict[str, Any] = {"loss": loss / examples if examples else None}
    for task in TASKS:
        matrices = [np.array(answer["confusion"][task], dtype=np.int64) for answer in validations.values()]
        found = figures(np.sum(matrices, axis=0)) if matrices else {}
        names = ("n", "quadratic_weighted_kappa", "accuracy")
        pooled[task] = {name: found.get(name) for name in names}
    return pooled
