"""Keys of one round: X25519 agreements, what is derived from them, and sealed messages between two sites.

Everything here is `cryptography`'s. Flower's `symmetric_encryption` would do for the sealing, but on P-384 and Fernet;
its generator of masks (`pseudo_rand_gen`) draws from a 32-bit seed, which anybody can try out, and is not used.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SECRET = 31  # bytes of a secret that is shared: one short of two blocks, which Flower's padding then fills
KEY = 32
_CONTEXT = b"fedfundus secure aggregation 1 "
_NONCE = 12


class KeyProblem(ValueError):
    """A key or a sealed message that is not what it should be. Says nothing of its content."""


def new_secret() -> bytes:
    """From the operating system's randomness."""
    return os.urandom(SECRET)


def derived(secret: bytes, purpose: str, context: bytes = b"") -> bytes:
    """A key of its own for each purpose and context. context: 32 bytes, a digest, or nothing."""
    info = _CONTEXT + purpose.encode() + b"\0" + context
    return HKDF(hashes.SHA256(), KEY, salt=None, info=info).derive(secret)


def private_key(secret: bytes) -> X25519PrivateKey:
    """The key pair of a secret."""
    return X25519PrivateKey.from_private_bytes(derived(secret, "private key"))


def public_bytes(key: X25519PrivateKey) -> bytes:
    """What travels of a key pair."""
    return key.public_key().public_bytes_raw()


def agreed(own: X25519PrivateKey, other: bytes) -> bytes:
    """The secret that two key pairs have in common. Raises KeyProblem for a public key of small order."""
    try:
        return own.exchange(X25519PublicKey.from_public_bytes(other))
    except ValueError:
        raise KeyProblem("is no public key that can be used") from None


def seal(key: bytes, content: bytes, label: bytes) -> bytes:
    """Encrypted and authenticated, bound to `label`."""
    nonce = os.urandom(_NONCE)
    return nonce + ChaCha20Poly1305(key).encrypt(nonce, content, label)


def unseal(key: bytes, sealed: bytes, label: bytes) -> bytes:
    """What was sealed. Raises KeyProblem for another key, label or content."""
    try:
        return ChaCha20Poly1305(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], label)
    except (InvalidTag, ValueError):
        raise KeyProblem("is not sealed for this site and this round") from None
