"""What the site has spent of its patients' privacy: an append-only account that cannot be shortened unnoticed.

Every charge is a line, written and flushed to disk before anything leaves the site, so that a process that dies
at any instant has charged too much rather than too little. A line holds the code of the line before it and its
own, HMAC-SHA256 under a key derived from the site's: only the site itself ever checks its ledger, and whoever
could forge a code holds the site key and could forge a signature too, so a key pair would add nothing. A second
file, the head, says how many lines there are and how the last one is coded: a ledger cut short no longer fits.
It is written after the line, so a line that the head does not know yet is the one a crash interrupted: it
counts. Both files put back together from an older copy are missed by what the site keeps of its last charges
(client.privacy.charged); all of it put back together takes a witness outside the site.
"""

from __future__ import annotations

import fcntl
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from client.privacy.chain import Chain, Entry
from client.privacy.errors import BudgetExhausted, LedgerError
from shared_model.files import naming_disk_errors, write_bytes

__all__ = ["BudgetExhausted", "Charge", "Entry", "Ledger", "LedgerError", "Spent", "added_up"]

_ANEW = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC


@dataclass(frozen=True)
class Spent:
    """A privacy budget: (epsilon, delta)-differential privacy of everything charged, composed."""

    epsilon: float
    delta: float


@dataclass(frozen=True)
class Charge:
    """What is to be entered; fields as of an Entry."""

    run: str
    what: str
    epsilon: float
    delta: float
    detail: Mapping[str, str | int | float]


def added_up(entries: Sequence[Entry]) -> Spent:
    """Basic composition: budgets add up. True of whatever was charged, if not the tightest account of it."""
    return Spent(math.fsum(e.epsilon for e in entries), math.fsum(e.delta for e in entries))


@dataclass(frozen=True)
class Ledger:
    """The ledger in `path`, its head beside it.

    key: the site's. limit_epsilon: what all charges together may come to, None for no limit. compose: how
    charges add up; an accountant may read the mechanisms from the entries' details. require: raises where what is
    known elsewhere is not among the entries, keep: is given each entry as soon as it is on disk, and nobody is told of
    it before (client.privacy.charged).

    Every call reads the whole file and checks it, under a lock: two processes may charge at once.
    """

    path: Path
    key: bytes = field(repr=False)
    limit_epsilon: float | None = None
    compose: Callable[[Sequence[Entry]], Spent] = added_up
    require: Callable[[Sequence[Entry]], None] = lambda entries: None
    keep: Callable[[Entry], None] = lambda entry: None

    def create(self) -> Ledger:
        """This ledger, begun empty: once in the life of a site. Raises LedgerError where there is one."""
        if not self._begin():
            raise LedgerError(
                "there is a privacy ledger already",
                where=str(self.path),
                fix="keep it: what was spent stays spent",
            )
        return self

    def created(self) -> Ledger:
        """This ledger, begun empty unless somebody else has begun it: two processes may come at once."""
        self._begin()
        return self

    def _begin(self) -> bool:
        """Begin it, and whether that was to be done. The file is never replaced: another may be charging to it."""
        if self.begun:
            return False
        with naming_disk_errors(self.path), os.fdopen(os.open(self.path, _ANEW, 0o600), "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if self._head.exists() or os.fstat(file.fileno()).st_size:  # begun while this process waited
                return False
            os.fsync(file.fileno())
            self._write_head([])
        return True

    def charge(
        self,
        run: str,
        what: str,
        epsilon: float,
        delta: float = 0.0,
        detail: Mapping[str, str | int | float] | None = None,
    ) -> Entry:
        """Charge before anything leaves; when this returns, the charge is on disk.

        run: the federation's run. what: "statistics", "training" ... detail: anything else worth knowing of
        the mechanism (round, noise, rate), finite and not of a patient. Raises BudgetExhausted where the limit
        would be passed, LedgerError where the ledger is not sound, RunError where the disk refuses; then
        nothing was charged, or it counts all the same.
        """
        _require_budget(epsilon, delta)
        budget = {"epsilon": float(epsilon), "delta": float(delta)}
        fields = {"run": run, "what": what, **budget, "detail": dict(detail or {})}
        return self._enter(lambda _: fields, limited=True)

    def charge_as(self, choose: Callable[[Sequence[Entry]], Charge]) -> Entry:
        """Charge what `choose` makes of the entries so far, and keep everybody else from charging in between.

        choose: keeps the limit itself, and raises where nothing may be charged. Errors as for `charge`.
        """

        def fields(entries: Sequence[Entry]) -> Mapping[str, Any]:
            charge = choose(entries)
            _require_budget(charge.epsilon, charge.delta)
            return asdict(charge)

        return self._enter(fields, limited=False)

    def record(self, run: str, what: str, detail: Mapping[str, str | int | float]) -> Entry:
        """Enter something that costs no budget, whatever the limit is. Arguments and errors as for `charge`."""
        fields = {"run": run, "what": what, "epsilon": 0.0, "delta": 0.0, "detail": dict(detail)}
        return self._enter(lambda _: fields, limited=False)

    def _enter(self, choose: Callable[[Sequence[Entry]], Mapping[str, Any]], *, limited: bool) -> Entry:
        with self._locked() as file:
            entries, ahead = self._read(file)
            entry = self._chain.entry(entries, time=time.time(), **choose(entries))
            if limited:
                self._require_room([*entries, entry])
            if ahead:  # a line that the head does not know must stay the only one
                self._write_head(entries)
            self._append(file, entries, entry)
            self._write_head([*entries, entry])
            self.keep(entry)
        return entry

    def spent(self) -> Spent:
        """What all entries come to. Raises LedgerError where the ledger is lost or not as it was written."""
        return self.compose(self.entries())

    def entries(self) -> list[Entry]:
        """All charges, the oldest first. Raises LedgerError where the ledger is lost or not as it was written."""
        with self._locked() as file:
            return self._read(file)[0]

    @property
    def begun(self) -> bool:
        """Whether anything but an interrupted beginning is there."""
        return self._head.exists() or (self.path.exists() and self.path.stat().st_size > 0)

    @property
    def _head(self) -> Path:
        return self.path.with_name(f"{self.path.name}.head")

    @property
    def _chain(self) -> Chain:
        return Chain(self.key, str(self.path))

    def _require_room(self, entries: Sequence[Entry]) -> None:
        if self.limit_epsilon is None:
            return
        after = self.compose(entries).epsilon
        if not after <= self.limit_epsilon * (1 + 1e-12):
            raise BudgetExhausted(
                "this site's privacy limit would be passed",
                where=f"{self.path}: {after:.6g} after this charge, the limit is {self.limit_epsilon:.6g}",
                fix="ask for less, or raise the limit ([policy] epsilon_limit in site.toml) if you may",
            )

    @contextmanager
    def _locked(self) -> Iterator[BinaryIO]:
        for path, what in (
            (self.path, "the privacy ledger is lost"),
            (self._head, "the ledger's head is lost"),
        ):
            if not path.exists():
                raise LedgerError(
                    what,
                    where=str(path),
                    fix="restore it from a backup made after the last charge; a new one would forget what was spent",
                )
        with naming_disk_errors(self.path), self.path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file

    def _read(self, file: BinaryIO) -> tuple[list[Entry], bool]:
        file.seek(0)
        entries, ahead = self._chain.read(file.read(), self._head.read_bytes())
        self.require(entries)
        return entries, ahead

    def _append(self, file: BinaryIO, entries: Sequence[Entry], entry: Entry) -> None:
        end = sum(len(self._chain.line(known)) for known in entries)
        file.truncate(end)  # what a crash left of a line that was never charged
        file.seek(end)
        try:
            file.write(self._chain.line(entry))
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            file.truncate(end)
            raise

    def _write_head(self, entries: Sequence[Entry]) -> None:
        write_bytes(self._head, self._chain.head(entries))
        folder = os.open(self.path.parent, os.O_RDONLY)  # or a power cut could bring the old head back
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _require_budget(epsilon: float, delta: float) -> None:
    if not (math.isfinite(epsilon) and epsilon >= 0 and 0 <= delta < 1):
        raise LedgerError(
            "a charge must be a budget of at least 0 with delta below 1",
            where="privacy ledger",
            fix="correct epsilon and delta",
        )
