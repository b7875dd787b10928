"""A round whose sum is about to be opened, on the disk of the run before the sites are asked to open it.

Sites open a round once. A coordinator that dies between their answers and its checkpoint finds here what it needs to
ask for the same answers again, which sites that still run give. What is in it is masked: it tells what the answers of
the sites told, nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from server.secure_aggregation.opening import MaskedSum
from shared_model.files import naming_disk_errors, write_bytes
from shared_model.secure_aggregation.session import (
    FIGURES,
    SETTLED,
    VALIDATING,
    Advert,
    Cohort,
    Round,
    content,
    contents_of,
    names_of,
    text,
)
from shared_model.secure_aggregation.stream import from_wire, to_wire

NAME = "opening.safetensors"  # in the run's folder
_DOCUMENT, _VECTOR, _TOLD = "document", "vector", "told"


@dataclass
class Pending:
    """senders: sites whose masks are in it; stage: what those are bound to; digests: of the sites' own secrets.

    signatures: of the sites that have agreed on whose numbers are in `total`. said: site -> fields beside its numbers.
    figures: digests of the secrets of the masks over validation figures; validated: whether these were opened.
    """

    about: Round
    cohort: Cohort
    senders: list[str]
    stage: bytes
    digests: dict[str, bytes]
    total: MaskedSum
    signatures: dict[str, bytes] = field(default_factory=dict)
    said: dict[str, dict[str, Any]] = field(default_factory=dict)
    figures: dict[str, bytes] = field(default_factory=dict)
    validated: bool = False

    def save(self, folder: Path) -> None:
        """Write it, whole or not at all."""
        document = {
            "about": self.about.to_field(),
            "cohort": [advert.to_field() for advert in self.cohort.adverts.values()],
            "threshold": self.cohort.threshold,
            VALIDATING: list(self.cohort.validating),
            SETTLED: self.cohort.settled,
            "senders": self.senders,
            "stage": text(self.stage),
            "digests": {name: text(one) for name, one in self.digests.items()},
            "signatures": {name: text(one) for name, one in self.signatures.items()},
            "sites": self.total.sites,
            "bits": self.total.bits,
            "said": self.said,
            FIGURES: {name: text(one) for name, one in self.figures.items()},
        }
        written = np.frombuffer(json.dumps(document).encode(), dtype=np.uint8)
        vector, told = to_wire(self.total.vector), to_wire(self.total.told)
        write_bytes(folder / NAME, save({_DOCUMENT: written, _VECTOR: vector, _TOLD: told}))

    @classmethod
    def load(cls, folder: Path) -> Pending | None:
        """What was saved last; None where nothing was, or it is damaged."""
        try:
            kept = load((folder / NAME).read_bytes())
            document = json.loads(kept[_DOCUMENT].tobytes())
            bits = int(document["bits"])
            vector, told = from_wire(kept[_VECTOR], bits), from_wire(kept[_TOLD], 64)
            total = MaskedSum(vector.size, bits, told.size, names_of(document["sites"]))
            total.vector[:], total.told[:] = vector, told
            adverts = [Advert.of(one) for one in document["cohort"]]
            validating = names_of(document[VALIDATING]), bool(document[SETTLED])
            return cls(
                Round.of(document["about"]),
                Cohort.of(adverts, int(document["threshold"]), *validating),
                names_of(document["senders"]),
                content(document["stage"], 32),
                contents_of(document["digests"]),
                total,
                contents_of(document["signatures"]),
                document["said"],
                contents_of(document[FIGURES]),
            )
        except (OSError, SafetensorError, ValueError, KeyError, TypeError):
            return None


def forget(folder: Path) -> None:
    """The run is past the round."""
    with naming_disk_errors(folder):
        (folder / NAME).unlink(missing_ok=True)
