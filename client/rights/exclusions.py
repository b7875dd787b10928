"""The list of patients who must not be used, under pseudonyms only."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from client.site.contents import EXCLUDED
from client.site.state import SiteState
from shared_model.errors import DataError

_History = dict[str, list[tuple[str, str]]]  # pseudonym -> ("excluded" or "included", when)


def excluded(state: SiteState) -> set[str]:
    """The pseudonyms of the patients who are barred now. Raises DataError where the list was altered."""
    return {patient for patient, events in _read(state).items() if events[-1][0] == "excluded"}


def note(state: SiteState, patient: str, event: str) -> bool:
    """Note that a patient (pseudonym) is "excluded" or "included" from now on; whether that changes anything."""
    history = _read(state)
    events = history.setdefault(patient, [])
    if (events[-1][0] if events else "included") == event:
        return False
    events.append((event, datetime.now(UTC).isoformat(timespec="seconds")))
    state.write(EXCLUDED, json.dumps({"patients": history}).encode())
    return True


def _read(state: SiteState) -> _History:
    content = state.read(EXCLUDED)
    if content is None:
        return {}
    try:
        patients = json.loads(content)["patients"]
        history = {
            str(patient): [(str(event), str(when)) for event, when in events]
            for patient, events in patients.items()
        }
        if not all(history.values()):
            raise ValueError("a patient without an event")
        return history
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DataError(
            "The list of excluded patients is damaged.",
            where=str(state.path(EXCLUDED)),
            fix="Restore it from a backup; do not delete it: patients who were barred would come back.",
        ) from None
