"""What grading found, as the site's own table of every case and as a document that names nobody.

The table holds names and patients and is written 0600; the document has case numbers, which the table explains.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from client.data.pipeline import PIPELINE_VERSION
from client.use.cases import Cases
from client.use.decision import DECISIONS, KINDS, Reason
from client.use.finished import NOTICE, Finished
from client.use.grading import Graded
from client.use.own_grades import Kept, OwnGrades, Promise
from client.use.patients import Patient
from client.use.search import Search
from shared_model.errors import ConfigError
from shared_model.records import GRADES
from shared_model.version import PACKAGE_VERSION

SCHEMA = "fedfundus.grades/2"
FOUND_SCHEMA = "fedfundus.found/1"
_FIRST = ("case", "photograph", "patient", "eye", "decision", "reasons", "read_from")


def table(cases: Sequence[Graded], of: Cases, tasks: Sequence[str]) -> str:
    """grades.csv: one row a case, the least certain first."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*_FIRST, *(name for task in tasks for name in _columns(task)), "use"])
    for case in cases:
        first = (
            case.number,
            of.name(case.path) if case.path else case.record,
            case.patient,
            case.eye,
            case.decision,
            "; ".join(reason.text for reason in case.reasons),
            " + ".join(case.inputs),
        )
        writer.writerow([*first, *(value for task in tasks for value in _values(case, task)), NOTICE])
    return stream.getvalue()


def require_ours(path: Path) -> None:
    """Raises ConfigError where a file is there already that is no earlier table of ours."""
    if not path.exists():
        return
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            ours = file.readline(200).startswith(",".join(_FIRST))
    except OSError:
        ours = False
    if not ours:
        raise ConfigError(
            "There is another file under the name of the table of grades.",
            where=str(path),
            fix="Give another name with --out; only an earlier table of grades is replaced.",
        )


def document(
    finished: Finished,
    of: Cases,
    cases: Sequence[Graded],
    patients: Sequence[Patient],
    kept: OwnGrades,
) -> dict[str, Any]:
    """`--json`: versioned, plain values, and neither a name nor a path nor a patient's id."""
    calibration = finished.artefact.calibration
    held_out = finished.artefact.held_out
    return {
        "schema": SCHEMA,
        "use": NOTICE,
        "package_version": PACKAGE_VERSION,
        "pipeline_version": PIPELINE_VERSION,
        "model": {
            "sha256": finished.sha256,
            "tasks": list(finished.tasks),
            "calibration": {**calibration.to_dict(), "withheld": calibration.withheld},
            "held_out": None if held_out is None else held_out.to_dict(),
        },
        "summary": summary(cases, patients),
        "own_grades": [_own(one) for one in kept.inputs],
        "own_grades_left_out": kept.left_out,
        "notices": list(of.notices),
        "cases": [_case(case, finished.tasks) for case in cases],
        "patients": [_patient(patient, number) for number, patient in enumerate(patients, start=1)],
    }


def found_document(finished: Finished, of: Cases, search: Search, *, names: bool) -> dict[str, Any]:
    """`--json` of a search. A photograph is told by its place among all, in the order of their names; names: whether
    also by its file and patient.
    """
    held_out = finished.artefact.held_out
    return {
        "schema": FOUND_SCHEMA,
        "use": NOTICE,
        "package_version": PACKAGE_VERSION,
        "pipeline_version": PIPELINE_VERSION,
        "model": {"sha256": finished.sha256, "held_out": held_out and held_out.to_dict()},
        "protocol": "unimodal",
        "note": {
            "tokens": search.tokens,
            "read": search.read,
            "words": search.words,
            "spelt": search.spelt,
        },
        "searched": search.searched,
        "unreadable": search.unreadable,
        "scores": {"mean": search.spread[0], "standard_deviation": search.spread[1]},
        "notices": list(of.notices),
        "photographs": [
            {
                "rank": hit.rank,
                "number": hit.number,
                "score": hit.score,
                "deviations": hit.deviations,
                **({"photograph": of.name(hit.path), "patient": hit.patient or None} if names else {}),
            }
            for hit in search.hits
        ],
    }


def summary(cases: Sequence[Graded], patients: Sequence[Patient]) -> dict[str, Any]:
    """Counts of cases by decision and reason, and of patients by decision."""
    decided = Counter(case.decision for case in cases)
    kinds = Counter(kind for case in cases for kind in {reason.kind for reason in case.reasons})
    people = Counter(patient.decision for patient in patients)
    return {
        "photographs": len(cases),
        "graded": sum(case.probabilities is not None for case in cases),
        "without_a_grade": sum(case.lost for case in cases),
        "decisions": {name: decided[name] for name in DECISIONS},
        "reasons": dict(kinds.most_common()),
        "patients": {name: people[name] for name in DECISIONS} if patients else None,
        "one_eye": sum(patient.one_eye for patient in patients) if patients else None,
    }


def _columns(task: str) -> list[str]:
    return [
        task,
        f"{task}_confidence",
        f"{task}_referable_probability",
        *(f"{task}_p{g}" for g in range(GRADES)),
    ]


def _values(case: Graded, task: str) -> list[object]:
    if case.probabilities is None:
        return [""] * (3 + GRADES)
    shares = (case.confidence(task), case.referable(task), *case.probabilities[task])
    return [case.grade(task), *(f"{share:.6f}" for share in shares)]


def _case(case: Graded, tasks: Sequence[str]) -> dict[str, Any]:
    graded = case.probabilities is not None
    return {
        "case": case.number,
        "eye": case.eye or None,
        "decision": case.decision,
        "reasons": [{"kind": reason.kind, "text": _told(reason)} for reason in case.reasons],
        "read_from": list(case.inputs),
        **{
            task: {
                "grade": case.grade(task),
                "confidence": case.confidence(task),
                "referable_probability": case.referable(task),
                "probabilities": list((case.probabilities or {})[task]),
            }
            if graded
            else None
            for task in tasks
        },
    }


def _own(kept: Kept) -> dict[str, Any]:
    return {
        "input": kept.given,
        "broken": kept.broken,
        "proven": kept.proven,
        "referable_patients_found": _promise(kept.found),
        "promises": [_promise(promise) | {"broken": promise.broken} for promise in kept.promises],
    }


def _promise(promise: Promise) -> dict[str, Any]:
    """level: the share promised, or for the patients found what the lower end of the interval has to reach."""
    found = {"what": promise.what, "kept": promise.kept, "n": promise.n, "level": promise.level}
    return {**found, "interval": list(promise.interval)}


def _told(reason: Reason) -> str:
    """Why a row was set aside may quote a cell of it, which stays in the table."""
    return KINDS[reason.kind] if reason.kind == "set_aside" else reason.text


def _patient(patient: Patient, number: int) -> dict[str, Any]:
    return {
        "patient": number,
        "cases": list(patient.cases),
        "decision": patient.decision,
        "eyes": dict(patient.eyes),
        "eye_unknown": patient.unknown,
        "one_eye": patient.one_eye,
    }
