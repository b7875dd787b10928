"""Everything a site has ever told about its training patients, and the ledger that would miss any of it.

What is told is written here first and then entered into the ledger by its digest, and only then leaves. So a store
that was deleted, or put back from an older copy, no longer holds what the ledger names, and nothing more is told:
a fresh answer could be subtracted from the one that was lost.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from client.privacy.ledger import Ledger
from client.statistics.fingerprints import MEMBERSHIP, Fingerprints
from shared_model.errors import DataError

NAME = "answers/statistics.json"
_DIGEST = "told"  # key of a ledger entry's detail


class State(Protocol):
    """Where a site keeps things: client.site.state.SiteState."""

    def read(self, name: str) -> bytes | None:
        """What was written under this name, None for nothing."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Replace it, whole or not at all."""
        ...


@dataclass(frozen=True)
class Kept:
    """Something told. minimum, epsilon: the rule it was told under; examples: training photographs at that time;
    patients: whom it rests on; answer: canonical JSON, the bytes that were told, "" where it was the count alone.
    """

    federation: str
    minimum: int
    epsilon: float
    examples: int
    patients: Fingerprints
    answer: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain and JSON-serialisable."""
        patients = {name: list(marks) for name, marks in self.patients.patients.items()}
        return {**vars(self), "tables": list(self.patients.tables), "patients": patients}

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Kept:
        """What to_dict gave. Raises ValueError, TypeError, KeyError or AttributeError for something else."""
        fields = dict(plain)
        tables, patients = tuple(fields.pop("tables")), dict(fields.pop("patients"))
        if tables[:1] != (MEMBERSHIP,) or {len(marks) for marks in patients.values()} - {len(tables)}:
            raise ValueError("the fingerprints do not fit their tables")
        return cls(**fields, patients=Fingerprints(tables, patients))

    @property
    def digest(self) -> str:
        """SHA-256 of all of it; nobody without the site's secret could guess a count from it."""
        content = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(content.encode()).hexdigest()


class ToldStore:
    """All that was told, the oldest first. ledger: None keeps no second record (tests and simulations)."""

    def __init__(self, state: State, ledger: Ledger | None) -> None:
        self._state = state
        self.ledger = ledger

    def read(self) -> list[Kept]:
        """What was told. Raises DataError where it cannot be read or lacks what the ledger names, LedgerError
        where the ledger itself is lost or unsound.
        """
        kept = self._read()
        if self._entered() - {item.digest for item in kept}:
            raise DataError(
                "statistics or counts that this site has told are missing from its records, so nothing more is told",
                where=NAME,
                fix="restore the file from a backup made after the last answer; a new answer could be subtracted "
                "from the one that was lost",
            )
        return kept

    def add(self, kept: Sequence[Kept], new: Kept) -> None:
        """Keep something new beside `kept`; when this returns, store and ledger are on disk and it may leave."""
        content = json.dumps({"answers": [item.to_dict() for item in (*kept, new)]})
        self._state.write(NAME, content.encode())
        self.enter([*kept, new])

    def enter(self, kept: Sequence[Kept]) -> None:
        """See that the ledger names all of these: a crash may have come between store and ledger."""
        if self.ledger is None:
            return
        entered = self._entered()
        for item in kept:
            if item.digest not in entered:
                what = "statistics told" if item.answer else "count told"
                self.ledger.record(item.federation, what, {_DIGEST: item.digest})

    def _entered(self) -> set[str]:
        if self.ledger is None:
            return set()
        return {str(entry.detail[_DIGEST]) for entry in self.ledger.entries() if _DIGEST in entry.detail}

    def _read(self) -> list[Kept]:
        content = self._state.read(NAME)
        if content is None:
            return []
        try:
            return [Kept.from_dict(item) for item in json.loads(content)["answers"]]
        except (ValueError, TypeError, KeyError, AttributeError):
            raise DataError(
                "the statistics this site has told before cannot be read, so nothing more is told",
                where=NAME,
                fix="restore the state folder from a backup",
            ) from None
