"""Pseudonyms of patients, records and visits: HMAC-SHA256 under a salt that never leaves the site.

The same id gives the same pseudonym for as long as the salt lives, so that a patient can be found again by the
hospital and by nobody else. Ids are short and guessable: without the salt, hashing them would hide nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata

from shared_model.errors import DataError

SALT_BYTES = 32
LENGTH = 32  # hexadecimal characters, 128 bits: no two ids of a hospital meet


class Pseudonyms:
    """What each id is called outside the hospital's own table. salt: 32 random bytes."""

    def __init__(self, salt: bytes) -> None:
        if len(salt) != SALT_BYTES:
            raise ValueError(f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
        self._salt = salt

    def of(self, kind: str, *parts: str) -> str:
        """The pseudonym of these parts; another kind or another division of the same text gives another one.

        Blanks around a part and its Unicode form do not matter. Raises DataError for an empty one.
        """
        digest = hmac.new(self._salt, b"fedfundus pseudonym 1", hashlib.sha256)
        for part in (kind, *map(normalised, parts)):
            encoded = part.encode()
            digest.update(len(encoded).to_bytes(8, "big") + encoded)
        return digest.hexdigest()[:LENGTH]

    def secret(self, purpose: str) -> bytes:
        """32 bytes that only this site can make, others for every purpose."""
        return hmac.new(self._salt, b"fedfundus secret 1\0" + purpose.encode(), hashlib.sha256).digest()


def normalised(identifier: str) -> str:
    """An id as it is hashed: composed Unicode, no blanks around it. Raises DataError where nothing is left."""
    text = unicodedata.normalize("NFC", identifier).strip()
    if not text:
        raise DataError("An identifier is empty.", fix="Give the id as the hospital writes it.")
    return text
