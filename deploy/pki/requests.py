"""A request: what a site sends to be certified, while its private keys stay where they were made.

It holds a PKCS 10 request, whose signature proves the certificate's key, and the node's public key with a signature of
its own over both, so that nobody can be certified with a key that another holds. What neither can show is who sent
it: that is what the fingerprint is read out over the telephone for.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import BaseModel, ConfigDict, ValidationError

from deploy.pki.certificates import subject
from deploy.pki.keys import PrivateKey, PublicKey, key_sha256, p384, public_openssh, read_node_key
from shared_model.errors import DataError

LARGEST = 64 * 1024
_CONTEXT = b"fedfundus request 1\n"
_AGAIN = "make the request again at the site (fedfundus-provision request) and send that file, whole"


class Request(BaseModel):
    """A request that has not been checked yet; see checked()."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: int
    federation: str
    authority: str  # fingerprint of the certificate of the authority that is asked
    name: str
    request: str  # PKCS 10, PEM
    node_key: str | None = None  # one OpenSSH line; the coordinator has none
    node_signature: str | None = None  # base64


class Checked(BaseModel):
    """What a request proved: whoever sent it holds both private keys."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    name: str
    public_key: PublicKey
    node_key: PublicKey | None
    fingerprint: str


def make_request(
    federation: str, authority: str, name: str, key: PrivateKey, node_key: PrivateKey | None
) -> Request:
    """The request for a certificate on `key`, and for `node_key` as the site's node."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject(federation, name))
    signing = builder.sign(key, hashes.SHA384())
    node = public_openssh(node_key.public_key(), name) if node_key else None
    draft = Request(
        format=1,
        federation=federation,
        authority=authority,
        name=name,
        request=signing.public_bytes(serialization.Encoding.PEM).decode("ascii"),
        node_key=node,
    )
    if node_key is None:
        return draft
    signature = node_key.sign(_bound(draft, signing), ec.ECDSA(hashes.SHA384()))
    return draft.model_copy(update={"node_signature": base64.b64encode(signature).decode("ascii")})


def to_bytes(request: Request) -> bytes:
    """The request as a file."""
    return (json.dumps(request.model_dump(), indent=1) + "\n").encode("utf-8")


def read_request(content: bytes, where: str) -> Request:
    """A request's file. Raises DataError where it is not one."""
    try:
        if len(content) > LARGEST:
            raise ValueError
        tree: Any = json.loads(content)
        return Request.model_validate(tree)
    except (ValueError, RecursionError, ValidationError):
        raise DataError("the file is no request, or not a whole one", where=where, fix=_AGAIN) from None


def checked(request: Request, where: str) -> Checked:
    """What the request proves. Raises DataError where a signature does not fit or a name is another's."""
    try:
        signing = x509.load_pem_x509_csr(request.request.encode("utf-8"))
        sound = signing.is_signature_valid
    except (ValueError, UnsupportedAlgorithm):
        raise DataError("the certificate request is cut short or altered", where=where, fix=_AGAIN) from None
    if not sound:
        raise DataError(
            "the certificate request's signature does not fit: it was altered, or its sender does not hold the key",
            where=where,
            fix=_AGAIN,
        )
    if signing.subject != subject(request.federation, request.name):
        raise DataError(
            f"the request says it is for {request.name} of {request.federation}, and the certificate request in it "
            f"for {signing.subject.rfc4514_string()}",
            where=where,
            fix=_AGAIN,
        )
    key = p384(signing.public_key(), where)
    node_key = _proven_node_key(request, signing, where)
    if node_key is not None and key_sha256(node_key) == key_sha256(key):
        raise DataError("the node's key is the certificate's", where=where, fix=_AGAIN)
    print_of = hashlib.sha256(_bound(request, signing)).hexdigest()
    return Checked(name=request.name, public_key=key, node_key=node_key, fingerprint=print_of)


def _proven_node_key(
    request: Request, signing: x509.CertificateSigningRequest, where: str
) -> PublicKey | None:
    if request.node_key is None and request.node_signature is None:
        return None
    key = read_node_key(request.node_key or "", where)
    try:
        signature = base64.b64decode(request.node_signature or "", validate=True)
        key.verify(signature, _bound(request, signing), ec.ECDSA(hashes.SHA384()))
    except (binascii.Error, ValueError, InvalidSignature):
        raise DataError(
            "the node key's signature does not fit: it was altered, or its sender does not hold the key",
            where=where,
            fix=_AGAIN,
        ) from None
    return key


def _bound(request: Request, signing: x509.CertificateSigningRequest) -> bytes:
    """What the node's key signs and the fingerprint is of: everything that will be certified, in one piece.

    Without the request's own signature, another one each time: the same keys have the same fingerprint.
    """
    fields = [
        request.federation,
        request.authority,
        request.name,
        base64.b64encode(signing.tbs_certrequest_bytes).decode("ascii"),
        request.node_key,
    ]
    return _CONTEXT + json.dumps(fields).encode("utf-8")
