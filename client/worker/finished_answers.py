"""What a run has been told of its finished model, kept so that no two answers can be subtracted to a few patients.

A run asks each question about one model: a second one, ever so slightly changed, could be made to tell a single patient
apart. The same question is given the same answer again, also after an exclusion. And where patients have come, gone or
changed since anything was told of their side of the split, but fewer than the minimum, nothing more is told of it.
Not covered: runs that ask about other models of the same patients; and a store that is put back from an older copy.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from client.site.state import SiteState
from client.statistics.answers import AnswerRefused
from shared_model.errors import DataError
from shared_model.records import TASKS

NAME = "answers/finished.json"
_FIX = "a later run may ask when many patients have changed; the site's operator decides what is asked"


@dataclass(frozen=True)
class Asked:
    """One question. run, question, split: their names. model: request_digest of what was asked about. tensors: the same
    of the model alone, which all questions of a run have in common.
    """

    run: str
    question: str
    split: str
    model: str
    tensors: str


class FinishedAnswers:
    """key: the site's secret. minimum: patients that a count rests on; below 2 nothing is kept or refused."""

    def __init__(self, state: SiteState, key: bytes, minimum: int) -> None:
        self._state = state
        self._key = key
        self._minimum = minimum

    def tell(self, asked: Asked, table: pd.DataFrame, answer: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The answer that leaves: the stored one, or a new one, which is stored first.

        table: the site's records with their split. Raises AnswerRefused where none may leave.
        """
        if self._minimum < 2:
            return answer()
        kept = self._kept()
        own = next((one for one in kept if _same_question(one, asked)), None)
        if (own is not None and own["model"] != asked.model) or _another_model(kept, asked):
            raise AnswerRefused(
                "this run has asked about another finished model", where=asked.question, fix=_FIX
            )
        if own is not None:
            stored: dict[str, Any] = own["answer"]
            return stored
        now = self._marks(table[table["split"] == asked.split])
        for one in kept:
            if one["split"] == asked.split and self._few_changed(one, now):
                raise AnswerRefused(
                    "too few patients have changed since an answer already given",
                    where=asked.question,
                    fix=_FIX,
                )
        told = answer()
        entry = {**asdict(asked), "minimum": self._minimum, "patients": now, "answer": told}
        self._state.write(NAME, json.dumps([*kept, entry], allow_nan=False).encode())
        return told

    def _kept(self) -> list[dict[str, Any]]:
        content = self._state.read(NAME)
        try:
            kept = json.loads(content or b"[]")
            if not all(
                {"run", "question", "split", "model", "minimum", "patients", "answer"} <= set(k) for k in kept
            ):
                raise ValueError("an entry lacks a key")
        except (ValueError, TypeError):
            raise DataError(
                "what this site has told of finished models is damaged",
                where=str(self._state.path(NAME)),
                fix="restore the file from a backup",
            ) from None
        return list(kept)

    def _few_changed(self, one: Mapping[str, Any], now: Mapping[str, str]) -> bool:
        before = one["patients"]
        changed: int = sum(before.get(patient) != now.get(patient) for patient in before.keys() | now.keys())
        larger: int = max(self._minimum, int(one["minimum"]))
        return 0 < changed < larger

    def _marks(self, rows: pd.DataFrame) -> dict[str, str]:
        """A keyed digest of every patient -> one of their photographs and grades."""
        found = {}
        for patient, own in rows.groupby("patient_id"):
            values = own[["record_id", *TASKS]].astype("str").sort_values("record_id").to_numpy().tolist()
            found[self._digest(str(patient))] = self._digest(json.dumps([str(patient), values]))
        return found

    def _digest(self, text: str) -> str:
        return hmac.digest(self._key, b"finished answers|" + text.encode(), "sha256").hex()[:32]


def request_digest(model: str, fields: Mapping[str, Any]) -> str:
    """Of everything that a question about a finished model depends on. model: fingerprint of its tensors."""
    asked = {name: fields[name] for name in ("standardisation", "calibration") if name in fields}
    content = json.dumps([model, asked], sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()


def _another_model(kept: list[dict[str, Any]], asked: Asked) -> bool:
    """Whether this run has asked any question about another model; earlier releases did not write down which."""
    return any(one["run"] == asked.run and one.get("tensors", asked.tensors) != asked.tensors for one in kept)


def _same_question(one: Mapping[str, Any], asked: Asked) -> bool:
    return (one["run"], one["question"]) == (asked.run, asked.question)
