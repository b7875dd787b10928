"""Sealing bytes with a site's key: AES-256-GCM (NIST SP 800-38D) under keys derived by HKDF (RFC 5869).

A sealed content is a header (magic, version, which key, length), a random nonce, the ciphertext and its tag. The
header and a label (what the content is) are authenticated with it, so that one sealed file cannot stand in for
another. Every purpose has its own key, which keeps the number of random nonces a key sees far below 2**32.
"""

from __future__ import annotations

import os
import struct
from functools import cached_property, lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared_model.errors import DataError

KEY_BYTES = 32
_MAGIC, _VERSION = b"FFV", 1
_HEADER = struct.Struct(">3sB4sQ")  # magic, version, key, length of the content
_NONCE_BYTES, _TAG_BYTES = 12, 16
OVERHEAD = _HEADER.size + _NONCE_BYTES + _TAG_BYTES  # bytes that sealing adds

Readable = bytes | bytearray | memoryview


class Vault:
    """Seals and opens contents with a site key of 32 bytes. Safe to share between threads."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a site key has {KEY_BYTES} bytes, not {len(key)}")
        self._key = key
        self._cipher = lru_cache(maxsize=64)(self._derive_cipher)

    def __repr__(self) -> str:
        return f"Vault(key {self._key_name.hex()})"  # never the key itself

    def seal(self, content: Readable, label: str) -> bytes:
        """The content, sealed. label: what it is; its part before the first "/" is the purpose that has a key."""
        header = _HEADER.pack(_MAGIC, _VERSION, self._key_name, memoryview(content).nbytes)
        nonce = os.urandom(_NONCE_BYTES)
        return header + nonce + self._cipher(_purpose(label)).encrypt(nonce, content, header + label.encode())

    def open(self, sealed: Readable, label: str, *, where: str = "") -> bytes:
        """The content that was sealed under this label.

        where: the file, for the error. Raises DataError where the content is truncated, altered, of another
        key or of another label.
        """
        content = bytearray(max(0, len(sealed) - OVERHEAD))
        self.open_into(sealed, label, content, where=where)
        return bytes(content)

    def open_into(
        self, sealed: Readable, label: str, content: bytearray | memoryview, *, where: str = ""
    ) -> None:
        """`open` into a buffer of exactly the content's length, without a copy."""
        header = bytes(sealed[: _HEADER.size])
        self._require_whole(header, len(sealed), where)
        if len(content) != len(sealed) - OVERHEAD:
            raise _altered(where)
        start = _HEADER.size + _NONCE_BYTES
        nonce, body = sealed[_HEADER.size : start], memoryview(sealed)[start:]
        try:
            self._cipher(_purpose(label)).decrypt_into(nonce, body, header + label.encode(), content)
        except InvalidTag:
            raise _altered(where) from None

    def _require_whole(self, header: bytes, length: int, where: str) -> None:
        if length and not _begins(header):
            raise DataError(
                "A file that should be sealed is not, or its beginning was altered.",
                where=where,
                fix=_RESTORE,
            )
        if length < OVERHEAD:
            raise _truncated(where)
        _, version, key_name, content_length = _HEADER.unpack(header)
        if version != _VERSION:
            raise DataError(
                f"A sealed file has version {version} of the format, or was altered; this FedFundus reads {_VERSION}.",
                where=where,
                fix="Use the FedFundus that wrote it, or " + _RESTORE[0].lower() + _RESTORE[1:],
            )
        if key_name != self._key_name:
            raise DataError(
                "A sealed file was sealed with another key, or its beginning was altered.",
                where=where,
                fix="Give the key this folder was made with ([storage] key in site.toml).",
            )
        if length < OVERHEAD + content_length:
            raise _truncated(where)

    @cached_property
    def _key_name(self) -> bytes:
        """Four bytes that tell one key from another and say nothing about it."""
        return self._derived("name of the key")[:4]

    def _derived(self, purpose: str) -> bytes:
        info = b"fedfundus vault 1\0" + purpose.encode()
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(self._key)

    def _derive_cipher(self, purpose: str) -> AESGCM:
        return AESGCM(self._derived("seal\0" + purpose))


def is_sealed(content: Readable) -> bool:
    """Whether bytes begin as sealed ones do."""
    return len(content) >= OVERHEAD and _begins(bytes(content[:3]))


def _begins(header: bytes) -> bool:
    return header[:3] == _MAGIC[: len(header)]


def _purpose(label: str) -> str:
    return label.partition("/")[0]


_RESTORE = "Restore the file from a backup; if it is a cache, delete it and it is made again."


def _truncated(where: str) -> DataError:
    return DataError("A sealed file is truncated.", where=where, fix=_RESTORE)


def _altered(where: str) -> DataError:
    return DataError(
        "A sealed file was altered, or another file was put in its place.", where=where, fix=_RESTORE
    )
