"""Parts of the model that not every site can train: what reads notes, what reads forms, each task's head.

A site without notes leaves the text encoder as it is. Sites say which parts they train, so the prefixes of a part's
parameters stand in one place.
"""

from __future__ import annotations

from shared_model.grades import TASKS

PREFIXES = {
    "text": (
        "model.text_encoder.",
        "model.text_projection.",
        "model.modality_type.text",
        "model.text_decoder.",
    ),
    "structured": ("model.structured_encoder.", "model.modality_type.structured"),
    **{task: (f"model.heads.{task}.",) for task in TASKS},
}
PARTS = tuple(PREFIXES)


def part_of(name: str) -> str | None:
    """The part that a parameter belongs to; None for those that every site trains."""
    return next((part for part, prefixes in PREFIXES.items() if name.startswith(prefixes)), None)
