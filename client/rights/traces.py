"""Where a patient is in what a site keeps, and how each place is rid of them.

Prepared photographs know their patient. Measurements and quarantined rows only know a file or a record, so these
are gathered first, from the photographs' index and from the site's own table. All of it is derived data: where it
cannot be told whose something is, it goes, and the next check makes again what may be there.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from client.cache import forget as kept_features
from client.check.measure import forget
from client.data.image_index import ImageIndex, Photograph
from client.data.images import ImageStore
from client.site.contents import (
    FEATURES,
    FOUND,
    IMAGES,
    MEASUREMENTS,
    QUARANTINE,
    WORKER,
    files,
    leftovers,
    named,
)
from client.site.state import SiteState
from shared_model.errors import DataError
from shared_model.files import naming_disk_errors


@dataclass(frozen=True)
class Traces:
    """What belongs to one patient.

    patient, records: pseudonyms. paths: their photographs. told_apart: whether these are surely all, so that a
    photograph that is not among them is another's.
    """

    patient: str
    records: frozenset[str]
    paths: frozenset[str]
    told_apart: bool

    @classmethod
    def of(cls, state: SiteState, identifier: str, table: pd.DataFrame | None) -> Traces:
        """The traces of the patient whom the hospital calls `identifier`; table as for `exclude`."""
        patient = state.patient(identifier)
        theirs = [one for one in _photographs(state) if one.patient == patient]
        records, paths = {one.record for one in theirs}, {one.path for one in theirs}
        if table is not None:
            own = table[[state.patient(str(name)) == patient for name in table["patient_id"]]]
            records |= {state.record(str(record)) for record in own["record_id"]}
            paths |= {str(path) for path in own["image_path"]}
        told_apart = table is not None and _quarantined(state, patient) <= records
        return cls(patient, frozenset(records), frozenset(paths), told_apart)


def purge_traces(state: SiteState, traces: Traces, runs: Iterable[str]) -> list[str]:
    """Remove the patient from every place; what was removed, in words. runs: those that used the patient."""
    removed = [
        *_from_photographs(state, traces),
        *_from_features(state, traces),
        *_from_rows(state, QUARANTINE, "quarantine", traces),
        *_from_rows(state, FOUND, "findings", traces),
        *_from_measurements(state, traces),
        *_from_worker(state, runs),
    ]
    with naming_disk_errors(state.folder):
        for name in ("photographs", "features", "quarantine", "findings", "measurements"):
            for path in leftovers(state.folder, named(name)):
                path.unlink(missing_ok=True)
                removed.append(f"what an interrupted command left of the {name}")
    return removed


def _photographs(state: SiteState) -> tuple[Photograph, ...]:
    try:
        index = ImageIndex.read(state.path(IMAGES), state.vault)
    except DataError:
        return ()
    return (*index.kept, *index.unreadable)


def _quarantined(state: SiteState, patient: str) -> set[str]:
    """The records of the quarantine that are or may be the patient's; "" for one without a name."""
    rows = _rows(state, QUARANTINE)
    if rows is None:
        return {""} if state.path(QUARANTINE).exists() else set()
    theirs = rows[_may_be_theirs(state, patient, rows)]
    return {state.record(name) if name.strip() else "" for name in theirs["record"]}


def _may_be_theirs(state: SiteState, patient: str, rows: pd.DataFrame) -> pd.Series:
    """Which rows say that they are the patient's, or do not say whose they are."""
    said = rows.get("patient", pd.Series("", index=rows.index))
    return said.map(lambda name: not name.strip() or patient in (name, state.patient(name))).astype(bool)


def _rows(state: SiteState, file: str) -> pd.DataFrame | None:
    """The quarantine, or the rows of findings, as text; None where there is none that could be understood."""
    try:
        content = state.read(file)
        rows = pd.read_csv(io.BytesIO(content or b""), dtype=str, keep_default_na=False)
    except (DataError, ValueError):  # pandas' own errors are ValueErrors
        return None
    return rows if "record" in rows.columns else None


def _from_photographs(state: SiteState, traces: Traces) -> list[str]:
    try:
        store = ImageStore.open(state.path(IMAGES), state.vault)
        left = store.without(traces.records)
    except DataError:  # no telling whose they are, and they are only a cache
        existed = [state.remove(f"{IMAGES}.json"), state.remove(IMAGES)]
        return ["all prepared photographs, which could not be told apart"] if any(existed) else []
    gone = len(store) - (len(left) if left else 0)
    return [f"{gone} prepared photographs"] if gone else []


def _from_features(state: SiteState, traces: Traces) -> list[str]:
    """Called when their photographs are gone: features of none of those left are theirs, or nobody's."""
    left = {bytes.fromhex(one.digest) for one in _photographs(state) if one.record not in traces.records}
    notes = bool(traces.records) or not traces.told_apart
    return kept_features.forget(state.path(FEATURES), state.vault, left, notes=notes)


def _from_rows(state: SiteState, file: str, name: str, traces: Traces) -> list[str]:
    if not state.path(file).exists():
        return []
    rows = _rows(state, file)
    if rows is None:
        state.remove(file)
        return [f"the {name}, which {'was' if file == QUARANTINE else 'were'} damaged"]
    theirs = _may_be_theirs(state, traces.patient, rows)
    theirs |= rows["record"].map(lambda name: bool({name, name and state.record(name)} & traces.records))
    if not theirs.any():
        return []
    state.write(file, rows[~theirs].to_csv(index=False).encode())
    return [f"{int(theirs.sum())} rows of the {name}, theirs or of a patient not named"]


def _from_measurements(state: SiteState, traces: Traces) -> list[str]:
    path = state.path(MEASUREMENTS)
    if not path.exists():
        return []
    before = path.stat().st_size
    try:
        if traces.told_apart:
            forget(state.journal(MEASUREMENTS), sorted(traces.paths))
            return ["the measurements of their photographs"] if path.stat().st_size < before else []
    except DataError:
        pass  # a damaged journal tells nothing apart either
    state.remove(MEASUREMENTS)
    return ["all measurements, which could not be told apart"]


def _from_worker(state: SiteState, runs: Iterable[str]) -> list[str]:
    """What runs that used the patient keep here; a decoder can remember a photograph."""
    used = set(runs)
    removed = []
    for path in files(state.folder, named("worker state")):
        below = path.relative_to(state.folder / WORKER).parts[:-1]
        if used and (not below or used & set(below)):  # files of no run's own folder may be of any
            with naming_disk_errors(path):
                path.unlink(missing_ok=True)
            removed.append(f"the local parameters of {'run ' + below[0] if below else 'the runs'}")
    return sorted(set(removed))
