"""The federation that a site believes: its authority, taken once from the kit and kept with the site's state.

The worker has no network and may not read the kit's keys; all it needs of the kit is public: whose signature counts,
and which certificates of the coordinator count no more. Once it is kept here, another kit cannot slip in another
authority: that takes the operator, who compares the fingerprint by telephone.
"""

from __future__ import annotations

import base64
import binascii
import tomllib
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from deploy.federation import COORDINATOR
from deploy.kits.layout import AUTHORITY, REVOKED, SETTINGS, read_kit
from deploy.kits.manifest import read_manifest, require_whole
from deploy.pki.certificates import fingerprint, subject
from deploy.pki.reading import issued_by, read_certificate, read_revoked, require_time, signed_by
from shared_model.config.section import Section
from shared_model.errors import ConfigError, DataError
from shared_model.run_plan import SIGNING_CONTEXT, RunPlan, SignedPlan, read_plan

_REFUSED = "do not approve it; ask the coordinator, by telephone, who signed it and with what"


class Trusted(Section):
    """federation, site: their names. authority, revoked: PEM. number: of the kit it was read from."""

    federation: str
    site: str
    authority: str
    revoked: str
    number: int

    @property
    def fingerprint(self) -> str:
        """Of the authority's certificate: SHA-256, hexadecimal."""
        return fingerprint(self._authority())

    def plan_of(self, signed: SignedPlan, now: datetime | None) -> RunPlan:
        """The plan, if this federation's coordinator signed it. Raises DataError, whose `what` may leave the site.

        now: None for a plan that was approved before, when its certificate was valid: a run outlives a renewal.
        """
        content = SIGNING_CONTEXT + signed.text.encode()
        self.require_coordinators(content, signed.signature, signed.certificate, now, "the run plan")
        plan = read_plan(signed.text)
        if plan.federation != self.federation:
            raise DataError("the run plan is of another federation", fix=_REFUSED)
        return plan

    def require_coordinators(
        self, content: bytes, signature: str, given: str, now: datetime | None, what: str
    ) -> None:
        """Raise DataError unless this federation's coordinator signed `content`.

        signature: base64. given: the signer's certificate, PEM. now, errors: as for `plan_of`. what: the thing's name.
        """
        authority = self._authority()
        named = f"the certificate of {what}"
        certificate = read_certificate(given.encode(), named)
        if not issued_by(certificate, authority):
            raise DataError(f"{what} is signed by somebody of another federation", fix=_REFUSED)
        if certificate.subject != subject(self.federation, COORDINATOR) or not _serves(certificate):
            raise DataError(f"{what} is not signed by the coordinator of this federation", fix=_REFUSED)
        revoked = read_revoked(self.revoked.encode(), authority, "the kit's list of revoked certificates")
        if revoked.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None:
            raise DataError(f"{what} is signed with a certificate that was revoked", fix=_REFUSED)
        if now is not None:
            fix = "ask the coordinator to renew its certificate and to sign again"
            require_time(certificate, now, named, fix)
        if not signed_by(certificate, content, _base64(signature)):
            raise DataError(f"{what} was altered after it was signed", fix=_REFUSED)

    def _authority(self) -> x509.Certificate:
        return read_certificate(self.authority.encode(), "the federation's authority")


def trusted_of_kit(kit: Path, site: str) -> Trusted:
    """What the kit of the site of this name says of its federation, its manifest checked.

    Raises DataError for a kit that is not whole, ConfigError for one of another site or of the coordinator.
    """
    read = read_kit(kit)
    manifest, authority = read_manifest(read.files, str(kit))
    require_whole(manifest, read.files, str(kit))
    if manifest.name != site:
        raise ConfigError(
            f"the kit is of {manifest.name!r}, and this site is called {site!r}",
            where=str(kit),
            fix="give this site's own kit, or correct [site] name in site.toml",
        )
    settings = tomllib.loads(read.files[SETTINGS].decode("utf-8"))
    revoked = read.files[REVOKED]
    read_revoked(revoked, authority, f"{kit}/{REVOKED}")
    return Trusted(
        federation=str(settings["federation"]),
        site=site,
        authority=read.files[AUTHORITY].decode("ascii"),
        revoked=revoked.decode("ascii"),
        number=manifest.number,
    )


def _serves(certificate: x509.Certificate) -> bool:
    """Whether it is a certificate of the coordinator's kind: a site's can sign nothing that is believed here."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return ExtendedKeyUsageOID.SERVER_AUTH in usage


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
