"""Retrieval in figures: both protocols side by side, each direction with chance, ceiling and the share of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared_model.metrics.document import EVERY_SITE
from shared_model.metrics.retrieval import KS
from shared_model.report.text import share
from shared_model.report.views import Cell

DIRECTIONS = {
    "text_to_image": "A note looks for its photograph",
    "image_to_text": "A photograph looks for its note",
}
TITLES = {
    "unimodal": ("Unimodal", "Note and photograph are encoded apart, as in a search: the figure that holds."),
    "paired": (
        "Paired",
        "Conditioned on the pair, so not a retrieval system: each was encoded beside the other.",
    ),
}


def protocol(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    """One card: title, what it is, and a block a direction with rows of label, small print and cells at KS."""
    found = document["models"]["federated"][EVERY_SITE]["retrieval"][name]
    title, about = TITLES[name]
    return {
        "title": title,
        "about": about,
        "blocks": [(words, _block(found[direction])) for direction, words in DIRECTIONS.items()],
        "why": why(document, name),
        "available": found["text_to_image"]["recall_at_1"] is not None,
        "n": found["text_to_image"]["n"],
        "unique_notes": found["text_to_image"]["unique_notes"],
        "above": any((found[d][f"share_of_ceiling_at_{k}"] or 0) > 1 + 1e-9 for d in DIRECTIONS for k in KS),
    }


def why(document: Mapping[str, Any], name: str) -> str:
    """Why a protocol has no figures; empty where it has."""
    reason = document["models"]["federated"][EVERY_SITE]["retrieval"][name]["text_to_image"]["unavailable"]
    if reason and document["run"].get("folds"):
        return "each fold’s model has vectors of its own, in which no other fold can be searched"
    return reason or ""


def guard(document: Mapping[str, Any]) -> str:
    """What the leak guard found, in words."""
    found = document["guard"]
    if not found["ran"]:
        return f"The leak guard did not run: {found['unavailable']}."
    if not found["passed"]:
        return (
            f"The leak guard failed: of {found['records']:,} records, {found['changed']['text']:,} notes and "
            f"{found['changed']['image']:,} photographs got another vector when what stood beside them was changed."
        )
    beside = " (the paired vectors did, as expected)" if found["paired_changed"] else ""
    return (
        f"The leak guard passed: with another photograph beside each of {found['records']:,} notes, and another note "
        f"beside each photograph, no unimodal vector changed by a bit{beside}."
    )


def _block(found: Mapping[str, Any]) -> list[tuple[str, str, list[Cell]]]:
    equivalent = found["equivalent"]
    return [
        ("Recall", "its own counterpart", [_with_bounds(found["intervals"], found, k) for k in KS]),
        ("Chance", "", [_chance(found, k) for k in KS]),
        ("Ceiling", "set by equal notes", [_cell(found[f"ceiling_at_{k}"]) for k in KS]),
        ("Share of the ceiling", "", [_cell(found[f"share_of_ceiling_at_{k}"]) for k in KS]),
        (
            "Recall, any equal note",
            "each note once",
            [
                _cell(equivalent[f"recall_at_{k}"], f"chance {share(equivalent[f'chance_at_{k}'])}")
                for k in KS
            ],
        ),
    ]


def beyond(document: Mapping[str, Any], name: str) -> list[str]:
    """Median rank and mean average precision of each direction, as sentences."""
    found = document["models"]["federated"][EVERY_SITE]["retrieval"][name]
    said = []
    for direction, words in DIRECTIONS.items():
        one = found[direction]
        if one["median_rank"] is None:
            continue
        precision = one["equivalent"]["mean_average_precision"]
        chance = one["equivalent"]["mean_average_precision_by_chance"]
        said.append(
            f"{words}: median rank {one['median_rank']:g} of {one['n']:,} (by chance {one['median_rank_by_chance']:g}, "
            f"at best {one['median_rank_at_best']:g}); mean average precision over equal notes {precision:.2f} "
            f"(by chance {chance:.2f})."
        )
    return said


def _with_bounds(intervals: Mapping[str, Any], found: Mapping[str, Any], k: int) -> Cell:
    return _cell(found[f"recall_at_{k}"], _bounds(intervals[f"recall_at_{k}"]))


def _chance(found: Mapping[str, Any], k: int) -> Cell:
    return _cell(found[f"chance_at_{k}"], _bounds(found.get(f"chance_interval_at_{k}")))


def _cell(value: float | None, small: str = "") -> Cell:
    return Cell("") if value is None else Cell(share(value), small)


def _bounds(interval: Any) -> str:
    if not interval:
        return ""
    return f"{share(interval[0])} to {share(interval[1])}"
