"""TLS between two processes of one machine, which Flower insists on before it lets a node show its key.

The certificate is self-signed, for localhost, made with the machine's other keys and believed by that machine alone: it
is no business of the authority's, and nobody can use it towards anybody else.
"""

from __future__ import annotations

import ipaddress
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deploy.pki.certificates import TOLERANCE
from deploy.pki.keys import new_key, private_pem
from deploy.pki.reading import pem

LOOPBACK_KEY, LOOPBACK_CERTIFICATE = "loopback.key", "loopback.pem"


def new_loopback(now: datetime, end: datetime) -> dict[str, bytes]:
    """A key and its certificate for localhost, 127.0.0.1 and ::1, until `end`: file name -> content."""
    key = new_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    addresses = [x509.IPAddress(ipaddress.ip_address(address)) for address in ("127.0.0.1", "::1")]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - TOLERANCE)
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost"), *addresses]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA384())
    )
    return {LOOPBACK_KEY: private_pem(key), LOOPBACK_CERTIFICATE: pem(certificate)}
