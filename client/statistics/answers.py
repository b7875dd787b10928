"""Every answer is kept, so that no two can be subtracted: what differs by a few patients would tell about them.

Asked again in the same federation, a site gives what it gave, byte for byte. A new answer takes a change of at
least the minimum of patients against everything ever told to anybody, or noise, which is charged to the ledger
before it is drawn. The same patients are never counted under two minima: where cells merge in two ways, the
groups can be subtracted. What this does not cover: a difference of two answers that many patients moved is
itself a table with small cells, if whoever subtracts knows which patients came and that nobody left; and
sites that share patients.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import pandas as pd

from client.data.images import ImageStore
from client.privacy.ledger import Ledger
from client.statistics.fingerprints import Fingerprints, changed, fingerprints
from client.statistics.policy import Policy
from client.statistics.site_answer import restricted, site_answer
from shared_model.errors import ConfigError, DataError, FedFundusError

NAME = "answers/statistics.json"


class State(Protocol):
    """Where a site keeps things: client.site.state.SiteState."""

    def read(self, name: str) -> bytes | None:
        """What was written under this name, None for nothing."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Replace it, whole or not at all."""
        ...


class AnswerRefused(FedFundusError):
    """The site does not answer: its answer could be subtracted from one it gave before."""


@dataclass(frozen=True)
class Told:
    """An answer and how it came about: kept from before, or new. why: a sentence for a person."""

    answer: dict[str, Any]
    origin: Literal["stored", "new"]
    why: str


@dataclass(frozen=True)
class _Kept:
    federation: str
    minimum: int
    epsilon: float
    patients: Fingerprints
    answer: str  # canonical JSON: the bytes that were told


class Answers:
    """What one federation is told, beside everything told before.

    federation: its run plan's hash or name. key: the site's secret. ledger: where noise is charged.
    """

    def __init__(self, state: State, federation: str, key: bytes, ledger: Ledger | None = None) -> None:
        self._state = state
        self._federation = federation
        self._key = key
        self._ledger = ledger

    def ask(self, table: pd.DataFrame, images: ImageStore | None, policy: Policy) -> dict[str, Any]:
        """The answer that leaves. Raises AnswerRefused, BudgetExhausted or LedgerError where none may."""
        kept = self._kept()
        now = fingerprints(table, images, self._key)
        stored = self._stored(kept, now, policy)
        if stored is not None:
            return stored.answer
        if policy.epsilon:
            self._charge(policy)
        answer = site_answer(table, images, policy, key=self._key)
        told = _Kept(self._federation, policy.minimum_cell, policy.epsilon, now, _canonical(answer))
        self._write([*kept, told])
        return answer

    def preview(self, table: pd.DataFrame, images: ImageStore | None, policy: Policy) -> Told:
        """What `ask` would give now, with nothing stored or charged; noise would be drawn anew.

        Raises AnswerRefused where `ask` would.
        """
        stored = self._stored(self._kept(), fingerprints(table, images, self._key), policy)
        if stored is not None:
            return stored
        answer = site_answer(table, images, policy, key=self._key)
        return Told(answer, "new", "nothing was told to this federation about these patients yet")

    def _stored(self, kept: list[_Kept], now: Fingerprints, policy: Policy) -> Told | None:
        own = next((item for item in reversed(kept) if item.federation == self._federation), None)
        if own is not None and not changed(own.patients, now):
            return self._again(own, policy, "the patients are those of the answer already given")
        if policy.epsilon:
            return None
        distances = [(changed(item.patients, now), item) for item in kept]
        if any(0 < distance < policy.minimum_cell for distance, _ in distances):
            why = "too few patients have changed since an answer already given"
        elif any(not d and (k.minimum, k.epsilon) != (policy.minimum_cell, 0.0) for d, k in distances):
            why = "the same patients were counted before under another minimum or with noise"
        else:
            return None
        if own is not None:
            return self._again(own, policy, why)
        raise AnswerRefused(
            f"statistics are not answered: {why}, and the two could be subtracted",
            where="an earlier federation's stored answer",
            fix=f"ask again when at least {policy.minimum_cell} patients have changed, or allow noise "
            "([policy] statistics_epsilon in site.toml)",
        )

    def _again(self, own: _Kept, policy: Policy, why: str) -> Told:
        return Told(restricted(json.loads(own.answer), policy), "stored", why)

    def _charge(self, policy: Policy) -> None:
        if self._ledger is None:
            raise ConfigError(
                "answers with noise need the privacy ledger",
                where="policy.statistics_epsilon",
                fix="open the site's ledger, or set it to 0",
            )
        self._ledger.charge(self._federation, "statistics", policy.epsilon)

    def _kept(self) -> list[_Kept]:
        content = self._state.read(NAME)
        if content is None:
            return []
        try:
            return [_Kept(**item) for item in json.loads(content)["answers"]]
        except (ValueError, TypeError, KeyError):
            raise DataError(
                "the statistics this site has told before cannot be read, so nothing more is told",
                where=NAME,
                fix="restore the state folder from a backup",
            ) from None

    def _write(self, kept: list[_Kept]) -> None:
        self._state.write(NAME, json.dumps({"answers": [_plain(item) for item in kept]}).encode())


def _plain(item: _Kept) -> dict[str, Any]:
    return {**vars(item), "patients": dict(item.patients)}


def _canonical(answer: Mapping[str, Any]) -> str:
    return json.dumps(answer, sort_keys=True, separators=(",", ":"), allow_nan=False)
