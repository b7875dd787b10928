"""Synthetic clinical notes rendered from recorded findings, as the paper describes for BRSET.

A note has one sentence per positive finding, in BRSET's order. That none was recorded as positive is itself
a statement; that nothing was recorded is a missing note. Anatomy columns are not rendered: the issue of the
project defines the note by the 13 findings, and code 1 there means normal.
"""

from __future__ import annotations

from collections.abc import Mapping

from client.adapters.codes import Value
from shared_model.records import FINDINGS

NO_ABNORMALITY = "No abnormality is recorded."

SENTENCES: Mapping[str, str] = {
    "diabetic_retinopathy": "Diabetic retinopathy is present.",
    "macular_edema": "Macular edema is present.",
    "scar": "Scar is present.",
    "nevus": "Nevus is present.",
    "amd": "Age-related macular degeneration is present.",
    "vascular_occlusion": "Vascular occlusion is present.",
    "hypertensive_retinopathy": "Hypertensive retinopathy is present.",
    "drusens": "Drusen is present.",
    "hemorrhage": "Hemorrhage is present.",
    "retinal_detachment": "Retinal detachment is present.",
    "myopic_fundus": "Myopic fundus is present.",
    "increased_cup_disc": "Increased cup-to-disc ratio is present.",
    "other": "Another abnormality is present.",
}


def render(findings: Mapping[str, Value]) -> str | None:
    """The note of these findings; findings: name of FINDINGS -> 1.0, 0.0, or None where not recorded.

    None where nothing was recorded.
    """
    recorded = {name: findings.get(name) for name in FINDINGS}
    if all(value is None for value in recorded.values()):
        return None
    sentences = [SENTENCES[name] for name, value in recorded.items() if value == 1.0]
    return " ".join(sentences) or NO_ABNORMALITY


def render_graded(findings: Mapping[str, Value], icdr: float | None) -> str | None:
    """The note where a source has a grade and only some findings: a grade of 1 and more is retinopathy.

    That no abnormality is recorded is said only where retinopathy was looked for.
    """
    retinopathy = findings.get("diabetic_retinopathy")
    if retinopathy is None and icdr is not None:
        retinopathy = float(icdr >= 1)
    note = render({**findings, "diabetic_retinopathy": retinopathy})
    return None if note == NO_ABNORMALITY and retinopathy is None else note
