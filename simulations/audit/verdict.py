"""Whether every promise holds, and whether the attacks can be believed: that they succeed without protection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from simulations.audit import inversion, membership
from simulations.audit.views import ALL_SHARED

LEAST_EPSILON = 1.0  # that planted patients must refute where nothing is protected
LEAST_GAIN = 3.0  # decibels over the mean photograph, for the control's rebuilt one


def verdict(document: Mapping[str, Any]) -> dict[str, list[str]]:
    """broken: promises refuted. blind: attacks that find nothing where there is something. Both may be empty."""
    return {"broken": list(_broken(document)), "blind": list(_blind(document))}


def _broken(document: Mapping[str, Any]) -> Iterator[str]:
    for seed, rows in document.get("canaries", {}).items():
        for row in rows:
            if row["claim"] is not None and row["epsilon"] > row["claim"]:
                yield (
                    f"{row['view']} ({row['kind']}, mode {row['mode']}, seed {seed}): epsilon is at least "
                    f"{row['epsilon']:.2f}, and {row['claim']:g} was promised"
                )


def _blind(document: Mapping[str, Any]) -> Iterator[str]:
    for seed, found in document.get("membership", {}).items():
        control = found[membership.CONTROL]
        lowest = max(of["auroc"]["low"] for signal in control.values() for of in signal.values())
        if lowest <= 0.5:
            yield f"membership inference (seed {seed}) does not find patients that were learnt by heart"
    for seed, rows in document.get("canaries", {}).items():
        for row in rows:
            if row["view"] == ALL_SHARED and row["epsilon"] <= LEAST_EPSILON:
                yield (
                    f"planted patients (seed {seed}) refute no epsilon above {LEAST_EPSILON:g} where nothing is "
                    f"protected: {row['right']} of {row['guesses']} guesses were right"
                )
    yield from _blind_inversion(document.get("inversion", []))


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
