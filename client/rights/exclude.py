"""Bars a patient from every later round and removes what the site derived from them.

The hospital's own id is hashed at once: it is neither kept nor shown. A model that was trained on the patient
cannot be made to forget them; so the runs that used them are named, and the parameters of those runs that stay
at the site, which could remember a photograph, are deleted. Bars first and purges then: an exclusion that was
interrupted holds, and doing it again finishes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pandas as pd

from client.rights.exclusions import excluded, note
from client.rights.participation import Use, runs_of
from client.rights.traces import Traces, purge_traces
from client.site.lock import SiteBusy
from client.site.state import SiteState

__all__ = ["PATIENCE", "Exclusion", "exclude", "excluded", "include"]

PATIENCE = 60.0  # seconds to wait for a round that is under way
Waiting = Callable[[str], None]  # is told which command is waited for
_LONGER = (
    "nothing was changed; run this again with a longer --wait, or stop the site (fedfundus-site stop), run "
    "this, and start it: a round that was under way is asked again"
)


@dataclass(frozen=True)
class Exclusion:
    """What became of a request.

    new: whether the patient was not barred before. known: whether anything of the patient was found. removed:
    what was deleted, in words without patient values. runs: the runs that were trained on the patient. notices:
    what the operator should know besides.
    """

    new: bool
    known: bool
    removed: tuple[str, ...]
    runs: tuple[Use, ...]
    notices: tuple[str, ...]


def exclude(
    state: SiteState,
    identifier: str,
    table: pd.DataFrame | None = None,
    *,
    wait: float = PATIENCE,
    waiting: Waiting = lambda holder: None,
) -> Exclusion:
    """Bar the patient whom the hospital calls `identifier` and purge them; a second time changes nothing more.

    table: the site's canonical records under the hospital's own ids (`Loaded.table`), which say what belongs to
    the patient; None where they cannot be read: then whatever cannot be told apart is deleted whole, and made
    again by the next check. A patient of whom nothing is known is barred too, with a notice. wait: seconds for
    a round or another command to end; waiting: told which it is. Raises DataError where the state was altered,
    SiteBusy where that did not end, and then nobody is barred; RunError where the disk refuses.
    """
    patient = state.patient(identifier)
    with _alone(state, "exclude", wait, waiting):
        new = note(state, patient, "excluded")
        traces = Traces.of(state, identifier, table)
        runs = runs_of(state, patient)
        removed = purge_traces(state, traces, [use.run for use in runs])
    known = bool(traces.records or runs)
    return Exclusion(new, known, tuple(removed), tuple(runs), tuple(_notices(known, table is not None, runs)))


def include(
    state: SiteState, identifier: str, *, wait: float = PATIENCE, waiting: Waiting = lambda holder: None
) -> bool:
    """Take an exclusion back; whether there was one. wait, waiting, errors: as for `exclude`.

    Offered because an id can be mistyped, and then somebody else is barred, and because a patient may agree
    anew. That both happened, and when, stays on record. What was purged is made again by the next check.
    """
    with _alone(state, "include", wait, waiting):
        return note(state, state.patient(identifier), "included")


@contextmanager
def _alone(state: SiteState, command: str, wait: float, waiting: Waiting) -> Iterator[None]:
    """The site's lock: whom a question is about does not change while it is answered."""
    try:
        with state.lock(command, wait=wait, waiting=waiting):
            yield
    except SiteBusy as busy:
        raise SiteBusy(busy.holder, where=busy.where, fix=_LONGER) from None


def _notices(known: bool, table_read: bool, runs: list[Use]) -> list[str]:
    notices = []
    if not known:
        notices.append(
            "No record of this patient is known now. They are barred all the same, should one come; "
            "if you expected records, check how the id is written."
        )
    if not table_read:
        notices.append(
            "The site's data could not be read, so measurements and quarantine were deleted whole; "
            "the next check makes them again."
        )
    if runs:
        notices.append(
            "Models of these runs were trained on the patient and do not forget: tell the coordinator "
            "if they must not be used any longer."
        )
    notices.append("The hospital's own files and the statistics already given are unchanged.")
    return notices
