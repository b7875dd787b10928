"""The list of a kit's files with their SHA-256, signed by the authority: what makes a kit one thing.

Private keys are not in it. They may be made after it was signed, and a certificate says more about its key than a
hash would.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import datetime

from cryptography import x509
from pydantic import BaseModel, ConfigDict, ValidationError

from deploy.kits.layout import AUTHORITY, MANIFEST, SIGNATURE
from deploy.pki.certificates import Signer, content_sha256, fingerprint
from deploy.pki.reading import read_certificate, signed_by
from shared_model.errors import DataError

_CONTEXT = b"fedfundus kit manifest 1\n"
_AGAIN = "copy the kit again, whole; if that does not help, ask for a new one"


class Manifest(BaseModel):
    """What the authority says a kit holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int
    federation: str
    authority: str  # fingerprint of its certificate
    name: str  # "coordinator" or the site's
    number: int  # a later kit has a larger one
    written: datetime
    files: dict[str, str]  # path in the kit -> SHA-256


def signed_manifest(
    signer: Signer, federation: str, name: str, number: int, files: Mapping[str, bytes], now: datetime
) -> dict[str, bytes]:
    """The two files that complete a kit of `files`."""
    manifest = Manifest(
        format=1,
        federation=federation,
        authority=fingerprint(signer.certificate),
        name=name,
        number=number,
        written=now,
        files={path: content_sha256(content) for path, content in sorted(files.items())},
    )
    content = (json.dumps(manifest.model_dump(mode="json"), indent=1) + "\n").encode("utf-8")
    return {MANIFEST: content, SIGNATURE: base64.b64encode(signer.sign(_CONTEXT + content)) + b"\n"}


def read_manifest(files: Mapping[str, bytes], where: str) -> tuple[Manifest, x509.Certificate]:
    """A kit's manifest and the authority that signed it, taken from the kit itself.

    Raises DataError where either is missing or altered, or the signature is not this authority's. Whether it is the
    right authority, only a fingerprint from elsewhere can tell.
    """
    for name in (MANIFEST, SIGNATURE, AUTHORITY):
        if name not in files:
            raise DataError(f"the kit is not whole: {name} is missing", where=where, fix=_AGAIN)
    authority = read_certificate(files[AUTHORITY], f"{where}/{AUTHORITY}")
    try:
        signature = base64.b64decode(files[SIGNATURE].strip(), validate=True)
    except binascii.Error:
        signature = b""
    if not signed_by(authority, _CONTEXT + files[MANIFEST], signature):
        raise DataError(
            "the manifest is not signed by the kit's authority: it was altered, or the kit is a mixture of two",
            where=f"{where}/{MANIFEST}",
            fix=_AGAIN,
        )
    try:
        manifest = Manifest.model_validate_json(files[MANIFEST])
    except ValidationError:
        raise DataError(
            "the manifest is of another version of fedfundus-provision",
            where=f"{where}/{MANIFEST}",
            fix="use the version that the coordinator uses",
        ) from None
    if manifest.authority != fingerprint(authority):
        raise DataError("the manifest names another authority", where=f"{where}/{MANIFEST}", fix=_AGAIN)
    return manifest, authority


def differences(manifest: Manifest, files: Mapping[str, bytes]) -> dict[str, str]:
    """What does not agree: path in the kit -> "missing", "altered" or "not in the manifest"."""
    found = {}
    for path, expected in manifest.files.items():
        if path not in files:
            found[path] = "missing"
        elif content_sha256(files[path]) != expected:
            found[path] = "altered"
    for path in files:
        if path not in manifest.files and path not in (MANIFEST, SIGNATURE):
            found[path] = "not in the manifest"
    return dict(sorted(found.items()))


def require_whole(manifest: Manifest, files: Mapping[str, bytes], where: str) -> None:
    """Raise DataError where `files` are not exactly what the manifest lists."""
    for path, problem in differences(manifest, files).items():
        raise DataError(
            f"the kit is not as it was signed: a file is {problem}", where=f"{where}/{path}", fix=_AGAIN
        )
