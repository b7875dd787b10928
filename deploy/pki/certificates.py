"""The private authority and what it signs: certificates of the coordinator and its sites, and the list of revoked ones.

The authority signs directly (path length 0) and is constrained to its own federation: the coordinator's names and
subjects of the federation's organisation (RFC 5280, 4.2.1.10), so that a stolen authority key speaks for no other host.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deploy.federation import COORDINATOR, Federation
from deploy.pki.keys import PrivateKey, PublicKey, new_key
from shared_model.errors import DataError

TOLERANCE = timedelta(hours=1)
"""Certificates begin this much in the past: hospital clocks differ."""


@dataclass(frozen=True)
class Signer:
    """The authority with its key unlocked."""

    key: PrivateKey
    certificate: x509.Certificate

    def sign(self, content: bytes) -> bytes:
        """ECDSA with SHA-384 over `content`, DER."""
        return self.key.sign(content, ec.ECDSA(hashes.SHA384()))

    def issue(
        self, public_key: PublicKey, federation: Federation, name: str, now: datetime
    ) -> x509.Certificate:
        """A certificate for a site or the coordinator: what the federation says, nothing that a request asks for."""
        coordinator = name == COORDINATOR
        days = federation.lifetimes.coordinator if coordinator else federation.lifetimes.site
        begins, end = now - TOLERANCE, self.certificate.not_valid_after_utc
        if not self.certificate.not_valid_before_utc <= now < end:
            raise DataError(
                f"the authority's certificate is not valid now (it is from "
                f"{self.certificate.not_valid_before_utc:%Y-%m-%d} to {end:%Y-%m-%d}, this clock says {now:%Y-%m-%d})",
                where="authority.pem",
                fix="check this machine's clock; an authority that has expired needs a new federation",
            )
        usage = ExtendedKeyUsageOID.SERVER_AUTH if coordinator else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = (
            _builder(subject(federation.name, name), public_key, begins, min(now + timedelta(days=days), end))
            .issuer_name(self.certificate.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(_issuer(self.certificate), critical=False)
        )
        if coordinator:
            builder = builder.add_extension(x509.SubjectAlternativeName(_names(federation)), critical=False)
        return builder.sign(self.key, hashes.SHA384())

    def revoked_list(
        self, revoked: Iterable[tuple[int, datetime]], number: int, now: datetime
    ) -> x509.CertificateRevocationList:
        """The list of (serial number, when) that nginx loads.

        It is valid as long as the authority: a proxy refuses everybody once its list has run out, and a list is
        replaced by handing out a newer kit, which `install` orders by number.
        """
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(now - TOLERANCE)
            .next_update(self.certificate.not_valid_after_utc)
            .add_extension(x509.CRLNumber(number), critical=False)
            .add_extension(_issuer(self.certificate), critical=False)
        )
        for serial, when in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(when)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self.key, hashes.SHA384())


def new_authority(federation: Federation, now: datetime) -> Signer:
    """A key and its self-signed certificate, constrained to `federation`."""
    key = new_key()
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, federation.name),
            x509.NameAttribute(NameOID.COMMON_NAME, "authority"),
        ]
    )
    end = now + timedelta(days=federation.lifetimes.authority)
    certificate = (
        _builder(name, key.public_key(), now - TOLERANCE, end)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .add_extension(_constraints(federation), critical=True)
        .sign(key, hashes.SHA384())
    )
    return Signer(key, certificate)


def subject(federation: str, name: str) -> x509.Name:
    """The subject of a site's or the coordinator's certificate."""
    role = COORDINATOR if name == COORDINATOR else "site"
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, federation),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, role),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the whole certificate, hexadecimal: `openssl x509 -fingerprint -sha256`."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def _builder(name: x509.Name, key: PublicKey, begins: datetime, ends: datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _issuer(authority: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    identifier = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _names(federation: Federation) -> list[x509.GeneralName]:
    """Every name of the coordinator."""
    names: list[x509.GeneralName] = [x509.DNSName(federation.server_name)]
    for host in federation.coordinator.hosts:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    return names


def _constraints(federation: Federation) -> x509.NameConstraints:
    permitted: list[x509.GeneralName] = [
        x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, federation.name)]))
    ]
    addresses = False
    for name in _names(federation):
        if isinstance(name, x509.IPAddress):
            addresses = True
            permitted.append(x509.IPAddress(ipaddress.ip_network(str(name.value))))
        else:
            permitted.append(name)
    # A kind of name that is not mentioned is not constrained at all.
    everywhere = [x509.IPAddress(ipaddress.ip_network(net)) for net in ("0.0.0.0/0", "::/0")]
    return x509.NameConstraints(permitted, None if addresses else everywhere)


def content_sha256(content: bytes) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(content).hexdigest()
