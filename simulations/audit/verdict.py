"""Whether every promise holds, and whether the attacks can be believed: that they succeed without protection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from simulations.audit import inversion, membership
from simulations.audit.views import ALL_SHARED, NO_NOISE

LEAST_EPSILON = 1.0  # that planted patients must refute where nothing is protected
LEAST_GAIN = 3.0  # decibels over the mean photograph, for the control's rebuilt one
CHANCE = 0.001  # that the membership control may owe its success to, at most


def verdict(document: Mapping[str, Any]) -> dict[str, list[str]]:
    """broken: promises refuted. blind: attacks that find nothing where there is something. Both may be empty."""
    return {"broken": list(_broken(document)), "blind": list(_blind(document))}


def _broken(document: Mapping[str, Any]) -> Iterator[str]:
    for seed, row in _canaries(document):
        if row["claim"] is not None and row["epsilon"] > row["claim"]:
            yield (
                f"{_named(seed, row)}: epsilon is at least {row['epsilon']:.2f}, and {row['claim']:g} was promised"
            )


def _blind(document: Mapping[str, Any]) -> Iterator[str]:
    for seed, found in document.get("membership", {}).items():
        control = found[membership.CONTROL][membership.CONTROL_SIGNAL][membership.CONTROL_ATTACK]
        if control["chance"] >= CHANCE:
            yield f"membership inference (seed {seed}) does not find patients that were learnt by heart"
    for seed, row in _canaries(document):
        if row["view"] in (ALL_SHARED, NO_NOISE) and row["epsilon"] <= LEAST_EPSILON:
            yield (
                f"{row['kind']} ({row['view']}, seed {seed}) refute no epsilon above {LEAST_EPSILON:g} where nothing "
                f"is hidden: {row['right']} of {row['guesses']} guesses were right"
            )
        control = row.get("control")
        if control is not None and control <= row["claim"]:
            yield (
                f"{_named(seed, row)}: without any noise the audit refutes no more than {control:.2f}, so that it "
                "cannot refute what was promised"
            )
    yield from _blind_inversion(document.get("inversion", []))


def _canaries(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Seed and row."""
    for seed, rows in document.get("canaries", {}).items():
        for row in rows:
            yield seed, row


def _named(seed: str, row: Mapping[str, Any]) -> str:
    return f"{row['view']} ({row['kind']}, mode {row['mode']}, seed {seed})"


def _blind_inversion(rows: list[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        if row["view"] != inversion.CONTROL or row["moment"] != "gradient":
            continue
        photograph = row["photograph"]
        if photograph.get("psnr", 0.0) < photograph["mean"]["psnr"] + LEAST_GAIN:
            yield "inversion does not find a photograph in the gradient of a single patient"
        best = max((found["recall"] for found in row["notes"].values()), default=0.0)
        if (
            best < max((found["recall_frequent"] for found in row["notes"].values()), default=1.0)
            or best < 0.9
        ):
            yield "inversion does not find the words of a single patient's note"
