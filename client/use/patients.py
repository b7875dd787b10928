"""Both eyes of a patient together: what the worst photograph asks for is what the patient needs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from client.use.decision import ASK, CLEAR, REFER
from client.use.grading import Graded

EYES = ("right", "left")


@dataclass(frozen=True)
class Patient:
    """patient: as the site names them. cases: their numbers. decision: of all their photographs together. eyes: right
    and left -> highest grade, None where no photograph of that eye was graded. unknown: highest grade of the
    photographs whose eye is unknown. one_eye: whether the eyes are known and only one of them was graded.
    """

    patient: str
    cases: tuple[int, ...]
    decision: str
    eyes: dict[str, int | None]
    unknown: int | None
    one_eye: bool


def patients_of(cases: Iterable[Graded], task: str) -> list[Patient]:
    """Every patient who is known, in the order of their least certain photograph. task: whose grades."""
    by_patient: dict[str, list[Graded]] = defaultdict(list)
    for case in cases:
        if case.patient:
            by_patient[case.patient].append(case)
    return [_patient(name, held, task) for name, held in by_patient.items()]


def _patient(name: str, cases: list[Graded], task: str) -> Patient:
    eyes = {eye: _highest([case for case in cases if case.eye == eye], task) for eye in EYES}
    unknown = _highest([case for case in cases if not case.eye], task)
    graded = [eye for eye in EYES if eyes[eye] is not None]
    return Patient(
        patient=name,
        cases=tuple(case.number for case in cases),
        decision=_decision({case.decision for case in cases}),
        eyes=eyes,
        unknown=unknown,
        one_eye=len(graded) == 1 and unknown is None,
    )


def _decision(decisions: set[str]) -> str:
    """One photograph to refer for is enough; to clear a patient, every photograph has to be cleared."""
    return next(decision for decision in (REFER, ASK, CLEAR) if decision in decisions)


def _highest(cases: list[Graded], task: str) -> int | None:
    return max((grade for case in cases if (grade := case.grade(task)) is not None), default=None)
