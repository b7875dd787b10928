"""Every answer is kept, so that no two can be subtracted: what differs by a few patients would tell about them.

The rule, with the larger of the minima of the two answers compared, against everything ever told to anybody:

- Membership first. Where some training patients, but fewer than the minimum, came, went or have another number of
  photographs, nothing new is told: the same federation gets its whole stored answer, byte for byte, another is
  refused, and a run that joins is told the earlier number of photographs.
- Then table by table. A table may be told anew where nobody or at least the minimum of patients differ in it, both
  in how many photographs entered it and in their values. Where one fails, the same federation gets its whole stored
  answer; another gets the rest, that table withheld. Stored and new tables are never mixed in one answer.
- The same patients are never counted under two minima: where cells merge in two ways, the groups can be subtracted.

Noise lifts the rule and is charged to the ledger before it is drawn. With minima below 2 there is no rule. What this
does not cover: a difference of two answers that many patients moved is itself a table with small cells, if whoever
subtracts knows which patients came and that nobody left; and sites that share patients.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from client.data.images import ImageStore
from client.privacy.ledger import Ledger
from client.statistics.fingerprints import MEMBERSHIP, Fingerprints, difference, fingerprints
from client.statistics.policy import Policy
from client.statistics.site_answer import restricted, site_answer
from client.statistics.told import NAME, Kept, State, ToldStore
from shared_model.errors import ConfigError, FedFundusError

__all__ = ["NAME", "AnswerRefused", "Answers", "State", "Told"]

_FEW = "too few patients have changed since an answer already given"
_TWO_WAYS = "the same patients were counted before under another minimum or with noise"


class AnswerRefused(FedFundusError):
    """The site does not answer: its answer could be subtracted from one it gave before."""


@dataclass(frozen=True)
class Told:
    """An answer and how it came about: kept from before, or new. why: a sentence for a person."""

    answer: dict[str, Any]
    origin: Literal["stored", "new"]
    why: str


class Answers:
    """What one federation is told, beside everything told before.

    federation: its run plan's hash or name. key: the site's secret. ledger: where noise is charged and where it
    is entered that something was told.
    """

    def __init__(self, state: State, federation: str, key: bytes, ledger: Ledger | None = None) -> None:
        self._store = ToldStore(state, ledger)
        self._federation = federation
        self._key = key

    def ask(self, table: pd.DataFrame, images: ImageStore | None, policy: Policy) -> dict[str, Any]:
        """The answer that leaves.

        Raises AnswerRefused, BudgetExhausted or LedgerError where none may, DataError where what was told is lost.
        """
        kept = self._store.read()
        now = fingerprints(table, images, policy, self._key)
        found = self._stored_or_withheld(kept, now, policy)
        if isinstance(found, Told):
            self._store.enter(kept)
            return found.answer
        if policy.epsilon:
            self._charge(policy)
        answer = site_answer(table, images, policy, key=self._key, withheld=found)
        self._store.add(kept, self._keep(policy, _examples(table), now.without(found), _canonical(answer)))
        return answer

    def preview(self, table: pd.DataFrame, images: ImageStore | None, policy: Policy) -> Told:
        """What `ask` would give now, with nothing stored or charged; noise would be drawn anew.

        Raises AnswerRefused and DataError where `ask` would.
        """
        now = fingerprints(table, images, policy, self._key)
        found = self._stored_or_withheld(self._store.read(), now, policy)
        if isinstance(found, Told):
            return found
        answer = site_answer(table, images, policy, key=self._key, withheld=found)
        return Told(answer, "new", "nothing was told to this federation about these patients yet")

    def count(self, table: pd.DataFrame, policy: Policy) -> int:
        """The number of training photographs that a run is told: the present one or, where it would tell of few
        patients who came or went, the last one told. Raises LedgerError or DataError as `ask`.
        """
        kept = self._store.read()
        now = self._membership(table, policy)
        told, new = self._counted(kept, now, _examples(table), policy)
        if new:
            self._store.add(kept, self._keep(policy, told, now))
        else:
            self._store.enter(kept)
        return told

    def data(self) -> str:
        """Fingerprint of the training patients whom the number last told rests on; "" where none was told.

        Of keyed digests, so that it tells nobody who they are; it changes only when another number may be told.
        """
        exact = [item for item in self._store.read() if not item.epsilon]
        if not exact:
            return ""
        marks = sorted((patient, marks[0]) for patient, marks in exact[-1].patients.patients.items())
        return hashlib.sha256(json.dumps(marks).encode()).hexdigest()

    def preview_count(self, table: pd.DataFrame, policy: Policy) -> int:
        """What `count` would give now, with nothing stored."""
        now = self._membership(table, policy)
        return self._counted(self._store.read(), now, _examples(table), policy)[0]

    def _counted(
        self, kept: Sequence[Kept], now: Fingerprints, examples: int, policy: Policy
    ) -> tuple[int, bool]:
        """The number to tell, and whether it is one that was not told before."""
        exact = [item for item in kept if not item.epsilon]
        differences = [(difference(item.patients, now, MEMBERSHIP), item) for item in exact]
        if not all(found.safe(_larger(item, policy)) for found, item in differences):
            return exact[-1].examples, False
        known = any(not found.changed and not item.answer for found, item in differences)
        return examples, not known

    def _stored_or_withheld(
        self, kept: Sequence[Kept], now: Fingerprints, policy: Policy
    ) -> Told | frozenset[str]:
        """The stored answer, where it is to be given, or the tables that a new one withholds."""
        own = next(
            (item for item in reversed(kept) if item.federation == self._federation and item.answer), None
        )
        if own is not None and _unchanged(own, now):
            return self._again(own, policy, "the patients are those of the answer already given")
        if policy.epsilon:
            return frozenset()
        reasons = {name: why for name in now.tables if (why := _why_not(name, kept, now, policy))}
        if not reasons:
            return frozenset()
        why = next(iter(reasons.values()))
        if own is not None:
            return self._again(own, policy, why)
        if MEMBERSHIP not in reasons:
            return frozenset(reasons)
        raise AnswerRefused(
            f"statistics are not answered: {why}, and the two could be subtracted",
            where="an earlier federation's stored answer",
            fix=f"ask again when at least {policy.minimum_cell} patients have changed, or allow noise "
            "([policy] statistics_epsilon in site.toml)",
        )

    def _again(self, own: Kept, policy: Policy, why: str) -> Told:
        return Told(restricted(json.loads(own.answer), policy), "stored", why)

    def _keep(self, policy: Policy, examples: int, patients: Fingerprints, answer: str = "") -> Kept:
        epsilon = policy.epsilon if answer else 0.0  # a count carries no noise
        return Kept(self._federation, policy.minimum_cell, epsilon, examples, patients, answer)

    def _membership(self, table: pd.DataFrame, policy: Policy) -> Fingerprints:
        return fingerprints(table, None, Policy(policy.minimum_cell, frozenset()), self._key)

    def _charge(self, policy: Policy) -> None:
        if self._store.ledger is None:
            raise ConfigError(
                "answers with noise need the privacy ledger",
                where="policy.statistics_epsilon",
                fix="open the site's ledger, or set it to 0",
            )
        self._store.ledger.charge(self._federation, "statistics", policy.epsilon)


def _unchanged(own: Kept, now: Fingerprints) -> bool:
    shared = [name for name in now.tables if name in own.patients.tables]
    return not any(difference(own.patients, now, name).changed for name in shared)


def _why_not(table: str, kept: Sequence[Kept], now: Fingerprints, policy: Policy) -> str:
    """Why a table may not be told beside what was told before, "" where it may."""
    two_ways = False
    for item in kept:
        if table not in item.patients.tables:
            continue
        found = difference(item.patients, now, table, (item.minimum, policy.minimum_cell))
        if not found.safe(_larger(item, policy)):
            return _FEW
        other_rule = (item.minimum, item.epsilon) != (policy.minimum_cell, 0.0)
        two_ways |= bool(item.answer) and other_rule and not found.changed and not found.thin
    return _TWO_WAYS if two_ways else ""


def _larger(item: Kept, policy: Policy) -> int:
    """A minimum that was lowered since, or raised, protects neither answer alone."""
    return max(item.minimum, policy.minimum_cell)


def _examples(table: pd.DataFrame) -> int:
    return int((table["split"] == "train").sum())


def _canonical(answer: Mapping[str, Any]) -> str:
    return json.dumps(answer, sort_keys=True, separators=(",", ":"), allow_nan=False)
