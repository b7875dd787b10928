"""Certificates and lists of revoked ones as files: read with an error that says what is wrong, judged at a moment."""

from __future__ import annotations

from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from deploy.pki.keys import p384
from shared_model.errors import DataError

_COPY = "copy the kit again, whole; if that does not help, ask for a new one"


def pem(thing: x509.Certificate | x509.CertificateRevocationList) -> bytes:
    """As it is written."""
    return thing.public_bytes(serialization.Encoding.PEM)


def read_certificate(content: bytes, where: str) -> x509.Certificate:
    """Exactly one certificate on P-384. Raises DataError for a truncated or altered file."""
    try:
        certificates = x509.load_pem_x509_certificates(content)
        if len(certificates) == 1:
            p384(certificates[0].public_key(), where)
            return certificates[0]
    except (ValueError, UnsupportedAlgorithm):
        pass
    raise DataError("the file holds no whole certificate: it is cut short or altered", where=where, fix=_COPY)


def read_revoked(content: bytes, authority: x509.Certificate, where: str) -> x509.CertificateRevocationList:
    """The list of revoked certificates, signed by `authority`. Raises DataError."""
    try:
        revoked = x509.load_pem_x509_crl(content)
        if revoked.is_signature_valid(p384(authority.public_key(), where)):
            return revoked
    except (ValueError, TypeError, UnsupportedAlgorithm):
        pass
    raise DataError(
        "the list of revoked certificates is cut short, altered or another's", where=where, fix=_COPY
    )


def issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether `authority` signed `certificate`."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def require_time(certificate: x509.Certificate, now: datetime, where: str, fix: str) -> None:
    """Raise DataError where `certificate` is not valid at `now`. fix: what to do about one that has expired."""
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < begins:
        raise DataError(
            f"the certificate is not valid before {begins:%Y-%m-%d %H:%M} UTC, and this machine's clock says "
            f"{now:%Y-%m-%d %H:%M} UTC",
            where=where,
            fix="set this machine's clock (timedatectl); the coordinator refuses a clock that is off as well",
        )
    if now >= ends:
        raise DataError(f"the certificate expired on {ends:%Y-%m-%d %H:%M} UTC", where=where, fix=fix)


def signed_by(authority: x509.Certificate, content: bytes, signature: bytes) -> bool:
    """Whether `signature` is the authority's over `content` (see Signer.sign)."""
    hash_used = authority.signature_hash_algorithm
    if hash_used is None:
        return False
    try:
        p384(authority.public_key(), "").verify(signature, content, ec.ECDSA(hash_used))
    except InvalidSignature:
        return False
    return True
