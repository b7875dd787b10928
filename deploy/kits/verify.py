"""Is this kit whole, the right one, and good for some weeks: every check at once, each with its problem and its fix.

What a kit says of itself is believed only after the authority's signature; whether that is the right authority is
decided by the fingerprint that the caller brings.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from deploy.federation import COORDINATOR
from deploy.folders import INCOMING
from deploy.kits import layout
from deploy.kits.findings import AGAIN, RENEW, Finding, Verified, attempt, expiry, finding_of
from deploy.kits.key_checks import certificate_key, loopback, node_key, own_certificate, permissions
from deploy.kits.layout import KitFolder, read_kit
from deploy.kits.manifest import Manifest, differences, read_manifest
from deploy.pki.certificates import fingerprint, subject
from deploy.pki.reading import issued_by, read_certificate, read_revoked
from shared_model.errors import DataError


def verify(folder: Path, now: datetime, expected: str = "", federation: str = "") -> Verified:
    """Check a kit. expected: the authority's fingerprint as known from elsewhere; federation: its name.

    Raises DataError where the folder is no kit at all.
    """
    kit = read_kit(folder)
    findings = list(permissions(kit))
    if (folder / INCOMING).exists():
        fix = "repeat fedfundus-provision install with the same file"
        findings.append(Finding("problem", "files", "an installation was interrupted", INCOMING, fix))
    try:
        manifest, authority = read_manifest(kit.files, str(folder))
    except DataError as error:
        return Verified((*findings, finding_of(error, "manifest signed by the authority")))
    findings += _signed(kit, manifest, authority, expected, federation)
    findings += attempt("authority", lambda: _authority(authority, now))
    findings += attempt("certificate", lambda: _certificate(kit, manifest, authority, now))
    findings += attempt("certificate key", lambda: certificate_key(kit, manifest))
    if manifest.name != COORDINATOR:
        findings += attempt("node key", lambda: node_key(kit))
    findings += attempt("TLS on this machine", lambda: loopback(kit, now))
    findings += attempt("revoked certificates", lambda: _revoked(kit, manifest, authority, now))
    certificate = own_certificate(kit, manifest)
    return Verified(
        tuple(findings),
        federation=manifest.federation,
        name=manifest.name,
        authority=fingerprint(authority),
        expires=certificate.not_valid_after_utc if certificate else None,
    )


def _signed(
    kit: KitFolder, manifest: Manifest, authority: x509.Certificate, expected: str, federation: str
) -> Iterator[Finding]:
    given = "".join(character for character in expected.lower() if character not in ": \t\n")
    if given and given != fingerprint(authority):
        yield Finding(
            "problem",
            "the authority that was named",
            "this kit is of another authority",
            layout.AUTHORITY,
            "do not use it; ask who sent it, by telephone",
        )
    if federation and federation != manifest.federation:
        yield Finding(
            "problem",
            "federation",
            f"this kit is for {manifest.federation}, not {federation}",
            layout.MANIFEST,
            "take the kit of the right federation",
        )
    yield Finding("ok", f"manifest {manifest.number} signed by the authority")
    found = differences(manifest, kit.files)
    for path, problem in found.items():
        if path.startswith(f"{INCOMING}/"):
            continue  # said as a whole
        fix = AGAIN if problem != "not in the manifest" else "move it elsewhere: a kit holds nothing else"
        yield Finding("problem", "files", problem, path, fix)
    if not found:
        yield Finding("ok", f"{len(manifest.files)} files as they were signed")


def _authority(authority: x509.Certificate, now: datetime) -> Iterator[Finding]:
    constraints = authority.extensions.get_extension_for_class(x509.BasicConstraints).value
    if not constraints.ca or not issued_by(authority, authority):
        yield Finding(
            "problem", "authority", "its certificate is not one of an authority", layout.AUTHORITY, AGAIN
        )
    fix = "a new federation is needed: every kit is made anew (docs/provisioning.md)"
    yield expiry("authority valid", authority, now, layout.AUTHORITY, fix)


def _certificate(
    kit: KitFolder, manifest: Manifest, authority: x509.Certificate, now: datetime
) -> Iterator[Finding]:
    name, where = manifest.name, layout.own_certificate(manifest.name)
    if where not in kit.files:
        waits = any(place.startswith(layout.PENDING) for place in kit.keys)
        problem = (
            "the keys wait for their certificate" if waits else "this kit has no certificate yet, or no more"
        )
        fix = "send the request, then install the kit that comes back"
        fix = fix if waits else f"fedfundus-provision request {kit.folder}, {fix}"
        yield Finding("problem", "certificate", problem, where, fix)
        return
    certificate = read_certificate(kit.files[where], where)
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    wanted = ExtendedKeyUsageOID.SERVER_AUTH if name == COORDINATOR else ExtendedKeyUsageOID.CLIENT_AUTH
    if not issued_by(certificate, authority):
        yield Finding("problem", "certificate", "another authority signed it", where, AGAIN)
    elif certificate.subject != subject(manifest.federation, name) or list(usage) != [wanted]:
        yield Finding("problem", "certificate", f"it is not {name}'s", where, AGAIN)
    else:
        yield expiry(f"certificate of {name} valid", certificate, now, where)


def _revoked(
    kit: KitFolder, manifest: Manifest, authority: x509.Certificate, now: datetime
) -> Iterator[Finding]:
    where = layout.REVOKED
    if where not in kit.files:
        return  # said among the files
    revoked = read_revoked(kit.files[where], authority, where)
    ends = revoked.next_update_utc
    certificate = own_certificate(kit, manifest)
    if ends is None or now >= ends:
        yield Finding("problem", "revoked certificates", "the list has run out", where, RENEW)
    elif certificate is not None and revoked.get_revoked_certificate_by_serial_number(
        certificate.serial_number
    ):
        yield Finding(
            "problem", "revoked certificates", "this kit's own certificate is revoked", where, AGAIN
        )
    else:
        yield Finding("ok", f"list of revoked certificates, {len(list(revoked))} on it")
