"""Private and public keys: ECDSA on P-384 throughout, the curve that Flower's node authentication takes.

A certificate's key is written as PKCS 8, which nginx reads; a node's key and the authority's in OpenSSH's format:
Flower asks for it, and its bcrypt makes a stolen, password-protected key slow to guess.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

from shared_model.errors import DataError

PrivateKey = ec.EllipticCurvePrivateKey
PublicKey = ec.EllipticCurvePublicKey
BCRYPT_ROUNDS = 32
SHORTEST_PASSWORD = 12
_OPENSSH = b"-----BEGIN OPENSSH PRIVATE KEY-----"


def new_key() -> PrivateKey:
    """A private key from the operating system's randomness."""
    return ec.generate_private_key(ec.SECP384R1())


def private_pem(key: PrivateKey) -> bytes:
    """PKCS 8, not encrypted: a service that starts unattended has nobody to ask."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def private_openssh(key: PrivateKey, password: str | None = None) -> bytes:
    """OpenSSH's format, encrypted where there is a password."""
    builder = serialization.PrivateFormat.OpenSSH.encryption_builder().kdf_rounds(BCRYPT_ROUNDS)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        builder.build(password.encode("utf-8")) if password else serialization.NoEncryption(),
    )


def needs_password(content: bytes) -> bool:
    """Whether a private key in OpenSSH's format is encrypted."""
    try:
        serialization.load_ssh_private_key(content, None)
    except TypeError:
        return True
    except (ValueError, UnsupportedAlgorithm):
        return False
    return False


def read_private(content: bytes, where: str, password: str | None = None) -> PrivateKey:
    """A P-384 private key of either format. Raises DataError for anything else, and for a wrong password."""
    secret = password.encode("utf-8") if password else None
    openssh = content.lstrip().startswith(_OPENSSH)
    try:
        key: PrivateKeyTypes | object = (
            serialization.load_ssh_private_key(content, secret)
            if openssh
            else serialization.load_pem_private_key(content, None)
        )
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if openssh and secret and "checksum" in str(error):
            raise DataError(
                "the password is wrong", where=where, fix="try again; without it the key cannot be opened"
            ) from None
        raise DataError(
            "the file holds no private key that can be read: it is cut short, altered or of another kind",
            where=where,
            fix="copy it again, or make a new one (see docs/provisioning.md, lost keys)",
        ) from None
    if not isinstance(key, PrivateKey) or not isinstance(key.curve, ec.SECP384R1):
        raise DataError(
            "the private key is not on P-384", where=where, fix="make one with fedfundus-provision"
        )
    return key


def read_node_key(text: str, where: str) -> PublicKey:
    """A node's public key as one OpenSSH line. Raises DataError."""
    try:
        key: PublicKeyTypes | object = serialization.load_ssh_public_key(text.encode("utf-8"))
    except (ValueError, UnsupportedAlgorithm, NotImplementedError):  # the last of a compressed point
        key = None
    return p384(key, where)


def p384(key: object, where: str) -> PublicKey:
    """The key, if it is a public one on P-384. Raises DataError."""
    if not isinstance(key, PublicKey) or not isinstance(key.curve, ec.SECP384R1):
        raise DataError(
            "this is no public key on P-384",
            where=where,
            fix="make the keys with fedfundus-provision request",
        )
    return key


def public_openssh(key: PublicKey, comment: str) -> str:
    """One line, as `flwr supernode register` reads it."""
    line = key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return f"{line.decode('ascii')} {comment}\n"


def public_der(key: PublicKey) -> bytes:
    """SubjectPublicKeyInfo: what a key's fingerprint is taken of."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def node_header(key: PublicKey) -> str:
    """The value of the `flwr-public-key` header that a SuperNode with this key sends."""
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(pem).decode("ascii")


def key_sha256(key: PublicKey) -> str:
    """The key's fingerprint, hexadecimal: it stays the same when the certificate is renewed."""
    return hashlib.sha256(public_der(key)).hexdigest()


def spoken(fingerprint: str) -> str:
    """A fingerprint in groups of four, to be read out over the telephone."""
    return " ".join(fingerprint[place : place + 4] for place in range(0, len(fingerprint), 4))


def require_private(path: Path) -> None:
    """Raise DataError where anybody but the owner may read the file."""
    if mode := path.stat().st_mode & 0o077:
        raise DataError(
            f"the file can be read by others than its owner (mode {path.stat().st_mode & 0o777:04o})",
            where=str(path),
            fix=f"chmod 600 {path}" + ("; if others use this machine, take the key as lost" if mode else ""),
        )
