"""Whose keys a site believes: those signed with the key of a certificate that the federation's authority gave a site.

A coordinator can hand on keys and leave sites out, but it cannot make a site up: it has no certificate of that kind,
and the authority's key is on no machine that it reaches.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from client.approval.trusted import Trusted
from client.privacy.secure_aggregation.refused import RoundRefused
from deploy.pki.certificates import subject
from deploy.pki.reading import issued_by, read_certificate, read_revoked, require_time, signed_by
from shared_model.errors import DataError
from shared_model.secure_aggregation.session import Advert

_CERTIFICATE = "a site's certificate"


class Believed(Protocol):
    """What decides whose keys count."""

    def require(self, advert: Advert) -> None:
        """Raise RoundRefused, naming the site, where these keys are not to be believed."""
        ...


class CertifiedSites:
    """The sites of a federation. trusted: what the operator believes now, read at every use."""

    def __init__(self, trusted: Callable[[], Trusted], now: Callable[[], datetime] | None = None) -> None:
        self._trusted = trusted
        self._now = now or (lambda: datetime.now(UTC))

    def require(self, advert: Advert) -> None:
        """As Believed says."""
        trusted = self._trusted()
        if not advert.signature or not advert.certificate:
            raise _refused(advert, "are not signed")
        try:
            certificate = read_certificate(advert.certificate.encode(), _CERTIFICATE)
            require_time(certificate, self._now(), _CERTIFICATE, "renew it")
        except DataError:
            raise _refused(advert, "come with a certificate that cannot be used, or not now") from None
        if problem := _problem(advert.certificate, trusted.authority, trusted.revoked):
            raise _refused(advert, problem)
        if certificate.subject != subject(trusted.federation, advert.site) or not _is_site(certificate):
            raise _refused(advert, "are signed with a certificate that is not that site's")
        if not signed_by(certificate, advert.statement(), advert.signature):
            raise _refused(advert, "were altered after they were signed")


@lru_cache(maxsize=512)
def _problem(certificate: str, authority: str, revoked: str) -> str | None:
    """What is wrong with a certificate whatever it signs, or None: the same at every round. All three are PEM."""
    found, root = (read_certificate(pem.encode(), _CERTIFICATE) for pem in (certificate, authority))
    if not issued_by(found, root):
        return "are signed by somebody of another federation"
    known = read_revoked(revoked.encode(), root, "the list of revoked certificates")
    if known.get_revoked_certificate_by_serial_number(found.serial_number) is not None:
        return "are signed with a certificate that was revoked"
    return None


def _is_site(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return ExtendedKeyUsageOID.CLIENT_AUTH in usage


def _refused(advert: Advert, why: str) -> RoundRefused:
    return RoundRefused(
        f"the keys of {advert.site:.64} {why}",
        fix="a coordinator cannot make up sites; see who sent these keys, and tell the federation's other sites",
    )
