"""Which patients each run was trained on, under pseudonyms, so that a hospital can answer one who asks.

Written when a run starts to train and whenever its patients change, before any update leaves; only the round is
noted when they stay the same. It is never deleted but by purge: a model cannot forget, so the site must remember.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from client.site.contents import PARTICIPATION
from client.site.state import SiteState
from shared_model.errors import DataError

_PATIENCE = 300.0  # seconds that a round waits for a command of the operator


@dataclass(frozen=True)
class Use:
    """One stretch of a run over the same patients. when: its beginning, ISO 8601 in UTC. private: whether it trained
    under differential privacy; None where that was not recorded, as releases before this one did not.
    """

    run: str
    federation: str
    first_round: int
    last_round: int
    when: str
    private: bool | None = None


def record_participation(
    state: SiteState,
    run: str,
    federation: str,
    patients: Iterable[str],
    *,
    round_number: int = 1,
    private: bool = False,
) -> bool:
    """Note that a round of this run trains on these patients (pseudonyms); whether anything had to be written.

    private: whether it does so under differential privacy.
    Call it before each round: nothing is written twice, and the list only when it is another than the last one.
    Raises DataError where the record was altered, RunError where it cannot be written; then do not train.
    """
    entry: dict[str, Any] = {
        "run": run,
        "federation": federation,
        "round": round_number,
        "private": private,
    }
    now = sorted(set(patients))
    with (
        state.lock("noting who takes part", wait=_PATIENCE),
        state.journal(PARTICIPATION, durable=True) as journal,
    ):
        known, last = None, 0
        for earlier in _entries(state):
            if _stretch_of(earlier) == (run, federation, private):
                known, last = earlier.get("patients", known), earlier["round"]
        if known == now and last >= round_number:
            return False
        if known != now:
            entry["patients"] = now
        entry["when"] = datetime.now(UTC).isoformat(timespec="seconds")
        journal.append(json.dumps(entry).encode())
    return True


def runs_of(state: SiteState, patient: str) -> list[Use]:
    """The runs that were trained on a patient (pseudonym), in the order they began."""
    return [use for use, patients in _stretches(state) if patient in patients]


def uses(state: SiteState) -> list[Use]:
    """Every stretch of every run that patients of this site were used in, in the order they began."""
    return [use for use, _ in _stretches(state)]


def trained_patients(state: SiteState) -> frozenset[str]:
    """Every patient (pseudonym) whom any run was trained on."""
    return frozenset().union(*(patients for _, patients in _stretches(state)))


def _stretches(state: SiteState) -> list[tuple[Use, frozenset[str]]]:
    found: list[tuple[Use, frozenset[str]]] = []
    latest: dict[tuple[str, str, bool | None], int] = {}
    for entry in _entries(state):
        key, number = _stretch_of(entry), entry["round"]
        if "patients" in entry:
            latest[key] = len(found)
            use = Use(entry["run"], entry["federation"], number, number, entry["when"], key[2])
            found.append((use, frozenset(entry["patients"])))
        elif key in latest:
            use, patients = found[latest[key]]
            found[latest[key]] = replace(use, last_round=number), patients
    return found


def _stretch_of(entry: Mapping[str, Any]) -> tuple[str, str, bool | None]:
    private = entry.get("private")
    return entry["run"], entry["federation"], None if private is None else bool(private)


def _entries(state: SiteState) -> Iterator[dict[str, Any]]:
    for content in state.journal(PARTICIPATION).records():
        try:
            entry = json.loads(content)
            entry["run"], entry["federation"], entry["round"], entry["when"]
        except (ValueError, KeyError, TypeError):
            raise DataError(
                "The record of who took part is damaged.",
                where=str(state.path(PARTICIPATION)),
                fix="Restore it from a backup.",
            ) from None
        yield entry
