"""The run plan: everything a site is asked to take part in, in one text whose SHA-256 an operator can approve.

The text is canonical (JSON, keys sorted, nothing but ASCII), so that one plan has one hash; the coordinator signs
its bytes with the key of its certificate, and every site holds them against the federation's authority. A plan says
what is trained and told, and for how long; who is trained on stays the site's.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from math import prod
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from shared_model.config import Config
from shared_model.config.section import Section
from shared_model.errors import DataError

Question = Literal[
    "join",
    "statistics",
    "train",
    "evaluate",
    "temperature",
    "scores",
    "site_figures",
    "secure_aggregation",
]
PLAIN: tuple[Question, ...] = (  # of a run without secure aggregation
    "join",
    "statistics",
    "train",
    "evaluate",
    "temperature",
    "scores",
    "site_figures",
)
QUESTIONS: tuple[Question, ...] = (*PLAIN, "secure_aggregation")
STATISTICS = ("records", "structured", "grades", "findings", "image_channels")  # what round 0 may ask for
SIGNED_PLAN = "signed_plan"  # the field of `join` that brings it
PLAN = "plan"  # the field of every other question, and of join's answer: the plan's SHA-256
PACKAGE = "package"  # the field of join's answer that names the package the site's operator approved
SIGNING_CONTEXT = b"fedfundus run plan 1\n"  # put before the text that is signed
LARGEST_PLAN = 4 << 20  # characters

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Shape = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(max_length=8)]


class RunPlan(Section):
    """tensors: name to shape of what travels. trunk: fingerprint of what does not. package: the coordinator's own.

    statistics: groups that round 0 asks for. questions: what is asked at all.
    """

    format: Literal[1] = 1
    federation: Name
    run: Name
    version: str
    package: Sha256
    config: Config
    tensors: dict[str, Shape]
    trunk: Sha256
    statistics: tuple[str, ...] = STATISTICS
    questions: tuple[Question, ...] = PLAIN

    def text(self) -> str:
        """The canonical text."""
        return json.dumps(
            self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), allow_nan=False
        )

    @property
    def sha256(self) -> str:
        """Of the canonical text: the plan's hash."""
        return text_sha256(self.text())

    @property
    def bytes_of_tensors(self) -> int:
        """Of what travels, fp32: the most that any message of the run may hold."""
        return sum(4 * prod(shape) for shape in self.tensors.values())


@dataclass(frozen=True)
class SignedPlan:
    """text: of the plan. signature: base64, over SIGNING_CONTEXT + text. certificate: the signer's, PEM."""

    text: str
    signature: str
    certificate: str

    @property
    def sha256(self) -> str:
        """The plan's hash."""
        return text_sha256(self.text)

    def to_field(self) -> dict[str, str]:
        """As it travels and lies on disk."""
        return {"plan": self.text, "signature": self.signature, "certificate": self.certificate}

    @classmethod
    def of(cls, given: Any) -> SignedPlan:
        """What a message or a file holds. Raises DataError for anything else."""
        keys = {"plan", "signature", "certificate"}
        if (
            not isinstance(given, dict)
            or set(given) != keys
            or not all(isinstance(value, str) and len(value) <= LARGEST_PLAN for value in given.values())
        ):
            raise DataError("there is no signed run plan in it", fix="ask the coordinator for the plan again")
        return cls(given["plan"], given["signature"], given["certificate"])


def read_plan(text: str) -> RunPlan:
    """The plan of a canonical text. Raises DataError for a plan of another release, or a text that is not canonical."""
    try:
        plan = RunPlan.model_validate_json(text)
    except ValidationError:
        raise DataError(
            "the run plan is not one that this release understands",
            fix="install the release that the coordinator uses",
        ) from None
    if plan.text() != text:
        raise DataError(
            "the run plan is not written canonically, so its hash would not be the only one",
            fix="make the plan with the release that the sites use",
        )
    return plan


def text_sha256(text: str) -> str:
    """SHA-256 of a text in UTF-8, hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
