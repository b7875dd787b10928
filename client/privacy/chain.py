"""The lines of a privacy ledger: how each is coded, chained to the one before, and checked again.

Free of files, so that every way of tampering can be tried in a test.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from client.privacy.errors import LedgerError

_PURPOSE = b"fedfundus privacy ledger 1"  # the site key has other uses: each derives its own


@dataclass(frozen=True)
class Entry:
    """One charge. index: from 0; time: seconds since 1970; run, what: for what; epsilon, delta: its budget;
    detail: more of the mechanism; previous, code: of the line before ("" for the first) and of this one.
    """

    index: int
    time: float
    run: str
    what: str
    epsilon: float
    delta: float
    detail: Mapping[str, str | int | float]
    previous: str
    code: str


class Chain:
    """Writes and checks lines. key: the site's. where: the ledger's place, for messages."""

    def __init__(self, key: bytes, where: str) -> None:
        self._key = HKDF(SHA256(), length=32, salt=None, info=_PURPOSE).derive(key)
        self._where = where

    def entry(self, entries: Sequence[Entry], **charge: Any) -> Entry:
        """The entry of a charge (time, run, what, epsilon, delta, detail) after these ones."""
        fields = {**charge, "index": len(entries), "previous": entries[-1].code if entries else ""}
        return Entry(**fields, code=self._code("entry", fields))

    def line(self, entry: Entry) -> bytes:
        """The entry as it stands in the file."""
        return _canonical(asdict(entry)) + b"\n"

    def head(self, entries: Sequence[Entry]) -> bytes:
        """What the head says of a ledger."""
        fields = {"count": len(entries), "last": entries[-1].code if entries else ""}
        return _canonical({**fields, "code": self._code("head", fields)}) + b"\n"

    def read(self, content: bytes, head: bytes) -> tuple[list[Entry], bool]:
        """The entries of a ledger, and whether its head does not know the last of them yet.

        A last line without its end was never charged and is left out. Raises LedgerError naming the line and
        what is wrong with it.
        """
        lines = content.split(b"\n")[:-1]
        entries: list[Entry] = []
        for line in lines:
            entries.append(self._entry(line, entries))
        count, last = self._known(head)
        if len(entries) < count:
            raise self._unsound(f"has {len(entries)} entries of {count}: it was cut short")
        if (entries[count - 1].code if count else "") != last:
            raise self._unsound("and its head do not belong together")
        if len(entries) > count + 1:
            raise self._unsound(f"has {len(entries)} entries, its head knows {count}: the head is an old one")
        return entries, len(entries) > count

    def _entry(self, line: bytes, before: Sequence[Entry]) -> Entry:
        number = len(before) + 1
        try:
            fields = json.loads(line)
            code = fields.pop("code")
            entry = Entry(**fields, code=code)
            sound = hmac.compare_digest(code, self._code("entry", fields))
            sound = sound and self.line(entry) == line + b"\n"  # not a space more
        except (ValueError, TypeError, KeyError, AttributeError):
            raise self._unsound(f"cannot be read in line {number}") from None
        if not sound:
            raise self._unsound(f"was altered in line {number}, or written with another key")
        if (entry.index, entry.previous) != (number - 1, before[-1].code if before else ""):
            raise self._unsound(f"is out of order at line {number}: entries were moved, removed or repeated")
        return entry

    def _known(self, head: bytes) -> tuple[int, str]:
        try:
            fields = json.loads(head)
            sound = hmac.compare_digest(fields.pop("code"), self._code("head", fields))
            count, last = int(fields["count"]), str(fields["last"])
        except (ValueError, TypeError, KeyError, AttributeError):
            raise self._unsound("has a head that cannot be read") from None
        if not sound:
            raise self._unsound("has a head that was altered, or written with another key")
        return count, last

    def _code(self, kind: str, fields: Mapping[str, Any]) -> str:
        content = kind.encode() + b"\n" + _canonical(fields)
        return hmac.new(self._key, content, hashlib.sha256).hexdigest()

    def _unsound(self, why: str) -> LedgerError:
        return LedgerError(
            f"the privacy ledger {why}",
            where=self._where,
            fix="restore ledger and head from a backup made after the last charge; nothing is answered until then",
        )


def _canonical(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
