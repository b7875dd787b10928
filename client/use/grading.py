"""Every photograph with its grade, how far to trust it, and what becomes of it: the least certain first."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from client.check.measure import Measurement, measure
from client.check.quality import judge
from client.use.cases import Cases
from client.use.decision import ASK, KINDS, LOST, Reason, decide
from client.use.finished import Finished
from client.use.reading import Progress, Reader, Said
from shared_model.errors import DataError
from shared_model.metrics.calibration import calibrated
from shared_model.metrics.grading import Floats
from shared_model.metrics.referable import referable_score


@dataclass(frozen=True)
class Graded:
    """One case. number: its place, 1 being the one to look at first. record, patient, path: as the site names them, ""
    where unknown. eye: "left", "right" or "". decision, reasons: see client.use.decision.
    inputs: what it was graded from. probabilities: task -> calibrated probability of each grade, empty where it
    could not be graded. own: the site's own grade of the decisive task, None where it has none. digest: SHA-256 of the
    photograph's file, "" where it was not read.
    """

    number: int
    record: str
    patient: str
    path: str
    eye: str
    decision: str
    reasons: tuple[Reason, ...]
    inputs: tuple[str, ...] = ()
    probabilities: Mapping[str, tuple[float, ...]] | None = None
    own: int | None = None
    digest: str = ""

    @property
    def given(self) -> str:
        """The input whose temperature and operating points hold for it: "image" or "all"."""
        return "image" if self.inputs == ("image",) else "all"

    @property
    def lost(self) -> bool:
        """Whether there is no photograph to grade."""
        return any(reason.kind in LOST for reason in self.reasons)

    def grade(self, task: str) -> int | None:
        """The most probable grade, None where there is none."""
        found = (self.probabilities or {}).get(task)
        return None if found is None else int(np.argmax(found))

    def confidence(self, task: str) -> float | None:
        """The probability of that grade."""
        found = (self.probabilities or {}).get(task)
        return None if found is None else max(found)

    def referable(self, task: str) -> float | None:
        """The probability of grade 2 or above."""
        found = (self.probabilities or {}).get(task)
        return None if found is None else float(referable_score(np.array([found]))[0])


def grade(
    finished: Finished, cases: Cases, *, processes: int | None = None, progress: Progress, checking: Progress
) -> list[Graded]:
    """All cases, those without a photograph first and then by falling uncertainty of the decisive task's grade.

    processes: cores by default. progress, checking: called with photographs graded and looked over, and their number.
    Raises DataError for a model that was trained on no grades.
    """
    if not finished.tasks:
        raise DataError(
            "this model was trained without a single grade, so it knows none",
            where="standardisation.json, class_counts",
            fix="give the model of a run whose sites have grades",
        )
    paths = list(cases.table["image_path"])
    measured = measure(paths, processes=processes, progress=checking)  # in processes that a file may crash
    good = cases.table[[not measured[path].problem for path in paths]].reset_index(drop=True)
    reader = Reader(finished.artefact, processes or os.cpu_count() or 1, progress)
    found = [case for said in reader.said(good) for case in _graded(finished, cases, said, good, measured)]
    unreadable = {
        str(record): measured[path].problem
        for record, path in zip(cases.table["record_id"], paths, strict=True)
        if measured[path].problem
    }
    found += _lost(cases, unreadable | reader.unreadable)
    task = finished.tasks[0]
    found.sort(key=lambda case: (not case.lost, case.confidence(task) or 0.0, case.record))
    return [replace(case, number=number) for number, case in enumerate(found, start=1)]


def _graded(
    finished: Finished, cases: Cases, said: Said, table: pd.DataFrame, measured: Mapping[str, Measurement]
) -> Iterator[Graded]:
    probabilities = {task: _calibrated(finished, said, task) for task in finished.tasks}
    task = finished.tasks[0]
    rows = table.set_index("record_id").loc[list(said.predictions.record)]
    for position, (record, row) in enumerate(rows.iterrows()):
        against = _against(measured[row["image_path"]])
        scores = {name: tuple(values[position].tolist()) for name, values in probabilities.items()}
        numbers = all(np.isfinite(values).all() for values in scores.values())
        if numbers:
            calibration = finished.artefact.calibration
            points = calibration.points_of(task, said.given[position])
            referable = float(referable_score(np.array([scores[task]]))[0])
            grade, confidence = int(np.argmax(scores[task])), max(scores[task])
            decision, reasons = decide(grade, confidence, referable, points, against, calibration.withheld)
        else:
            decision, reasons = ASK, (*against, Reason("no_number", KINDS["no_number"]))
        yield Graded(
            number=0,
            record=str(record),
            patient="" if record in cases.nameless else str(row["patient_id"]),
            path=str(row["image_path"]),
            eye=_eye(row["eye"]),
            decision=decision,
            reasons=reasons,
            inputs=said.inputs[position],
            probabilities=scores if numbers else None,
            own=None if pd.isna(row[task]) else int(row[task]),
            digest=measured[row["image_path"]].sha256,
        )


def _calibrated(finished: Finished, said: Said, task: str) -> Floats:
    """(N, 5), each record from its own input and at that input's temperature."""
    alone = np.array([given == "image" for given in said.given])
    calibration = finished.artefact.calibration
    both = {
        given: calibrated(said.predictions.scores(task, given), calibration.of(task, given))
        for given in ("all", "image")
    }
    return np.where(alone[:, None], both["image"], both["all"])


def _against(measurement: Measurement) -> tuple[Reason, ...]:
    judgement = judge(measurement)
    if judgement is None:
        return ()
    return (Reason(judgement.kind, f"{KINDS[judgement.kind]}: {judgement.why}"),)


def _lost(cases: Cases, unreadable: Mapping[str, str]) -> list[Graded]:
    rows = cases.table[cases.table["record_id"].isin(unreadable)]
    found = [
        Graded(
            0,
            str(row["record_id"]),
            "" if row["record_id"] in cases.nameless else str(row["patient_id"]),
            str(row["image_path"]),
            _eye(row["eye"]),
            ASK,
            (Reason("unreadable", unreadable[row["record_id"]]),),
        )
        for _, row in rows.iterrows()
    ]
    return found + [
        Graded(0, row.record, row.patient, "", "", ASK, (Reason("set_aside", row.reason),))
        for row in cases.set_aside
    ]


def _eye(value: float) -> str:
    return "" if math.isnan(value) else ("left" if value else "right")
