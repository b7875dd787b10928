"""Which files of pretrained encoders a federation uses: the manifest that a coordinator signs and a site checks.

A hospital without a way to a hub gets a folder on a medium. What may be in it is named here once for both ends: files
that cannot run code (safetensors, JSON, plain vocabularies), each with its SHA-256. The manifest is canonical JSON,
signed as a run plan is; the trunk fingerprint that a run plan holds is compared again when a site joins.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from shared_model.config.section import Section
from shared_model.errors import DataError
from shared_model.run_plan import Name, Sha256

MANIFEST = "weights.json"
SIGNING_CONTEXT = b"fedfundus weights 1\n"  # put before the text that is signed
LARGEST_MANIFEST = 1 << 20  # bytes
CONFIG, WEIGHTS = "config.json", "model.safetensors"
FILES = frozenset(
    {
        CONFIG,
        WEIGHTS,
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "vocab.txt",
        "vocab.json",
        "merges.txt",
        "preprocessor_config.json",
    }
)
PICKLES = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".npy", ".npz", ".h5"})

# A hub's name of a model: no part of it can lead out of a folder.
Repository = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9][A-Za-z0-9._-]{0,95})?$")
]


class File(Section):
    """One file. bytes: its length."""

    sha256: Sha256
    bytes: Annotated[int, Field(ge=0)]


class WeightsManifest(Section):
    """models: a hub's name of each encoder -> its files."""

    format: Literal[1] = 1
    federation: Name
    models: dict[Repository, dict[str, File]]

    def text(self) -> str:
        """The canonical text."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True)
class SignedManifest:
    """text: of the manifest. signature: base64, over SIGNING_CONTEXT + text. certificate: the signer's, PEM."""

    text: str
    signature: str
    certificate: str

    def to_field(self) -> dict[str, str]:
        """As it lies on the medium."""
        return {"manifest": self.text, "signature": self.signature, "certificate": self.certificate}

    @classmethod
    def of(cls, given: Any) -> SignedManifest:
        """What a file holds. Raises DataError for anything else."""
        keys = {"manifest", "signature", "certificate"}
        if (
            not isinstance(given, dict)
            or set(given) != keys
            or not all(isinstance(value, str) and value.isascii() for value in given.values())
        ):
            raise DataError("there is no signed manifest of weights in it", fix=_AGAIN)
        return cls(given["manifest"], given["signature"], given["certificate"])


_AGAIN = "ask the coordinator for the folder again (fedfundus-coordinator weights)"


def read_manifest(text: str) -> WeightsManifest:
    """The manifest of a canonical text. Raises DataError for one of another release, or that names odd files."""
    try:
        manifest = WeightsManifest.model_validate_json(text)
    except ValidationError:
        raise DataError(
            "the manifest of weights is not one that this release understands",
            fix="install the release that the coordinator uses",
        ) from None
    for files in manifest.models.values():
        if not FILES.issuperset(files) or not {CONFIG, WEIGHTS} <= files.keys():
            raise DataError("the manifest of weights names files that are not taken", fix=_AGAIN)
    return manifest


def folder_name(repository: str) -> str:
    """The folder of a model on the medium."""
    return repository.replace("/", "--")
