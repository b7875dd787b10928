"""What the numbers say, in sentences that a reader could check against the tables below them.

A difference is called one only when its interval excludes 0; otherwise the two cannot be told apart. Every
sentence falls away when the data cannot support it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared_model.metrics.document import EVERY_SITE, LOCAL
from shared_model.metrics.summary import figure, percent

Entry = Mapping[str, Any]


def headline(document: Mapping[str, Any]) -> str:
    """The page's title: whether federating was worth it, in one line."""
    against = contrast(document, "mean(local)")
    if against is None or against["interval"] is None:
        return "Federated model of the diabetic eye"
    return {
        1: "The federated model beats the sites alone",
        0: "No clear gain over the sites alone",
        -1: "The federated model falls behind the sites alone",
    }[_sign(against)]


def sentences(document: Mapping[str, Any]) -> list[str]:
    """Verdict on ICDR: against local and pooled, what the photograph adds, the floor, retrieval."""
    found = [_against_others(document), _inputs(document), _floor(document), _retrieval(document)]
    return [sentence for sentence in found if sentence]


def contrast(
    document: Mapping[str, Any], b: str, given: tuple[str, str] = ("all", "all"), task: str = "icdr"
) -> Entry | None:
    """The comparison of the federated model with `b` over all sites that has a value, or None."""
    entries: Sequence[Entry] = document.get("comparisons") or ()
    for entry in entries:
        same = entry["b"] == b and entry["on"] == EVERY_SITE and entry["task"] == task
        inputs = (entry["input"], entry.get("input_b", entry["input"]))
        if same and inputs == given and entry["difference"] is not None:
            return entry
    return None


def with_interval(value: float, interval: Sequence[float] | None, signed: bool = False) -> str:
    """`0.62 [0.55, 0.68]` with a true minus sign; `signed` puts a plus before a gain."""
    shown = decimal(value, signed)
    return f"{shown} [{decimal(interval[0], signed)}, {decimal(interval[1], signed)}]" if interval else shown


def decimal(value: float, signed: bool = False) -> str:
    """Two decimals with a true minus sign, never a negative zero."""
    rounded = round(value, 2) + 0.0
    return f"{rounded:{'+' if signed and rounded else ''}.2f}".replace("-", "−")


def _sign(entry: Entry) -> int:
    low, high = entry["interval"] or (0.0, 0.0)
    return (low > 0) - (high < 0)


def _against_others(document: Mapping[str, Any]) -> str:
    icdr = document["models"]["federated"][EVERY_SITE]["icdr"]
    found = figure(icdr)
    if found.value is None:
        return (
            "The test photographs carry no ICDR grades that would support a kappa: nothing can be compared."
        )
    kappa = with_interval(found.value, found.interval)
    text = f"With all inputs it grades ICDR at a quadratic weighted kappa of {kappa}"
    text += f" on {icdr['n']:,} test photographs"
    local, pooled = contrast(document, "mean(local)"), contrast(document, "pooled")
    if local:
        size = with_interval(abs(local["difference"]), _absolute(local))
        alone = sum(name.startswith(LOCAL) for name in document["models"])
        mean = f"the mean of the {alone} sites alone ({decimal(local['value_b'])})"
        unclear = f", not clearly different from {mean}: {_difference(local)}"
        text += {1: f", {size} above {mean}", -1: f", {size} below {mean}", 0: unclear}[_sign(local)]
    if pooled:
        share = (
            f"It reaches {100 * pooled['ratio']:.0f} % of"
            if pooled["ratio"] is not None
            else "It stands against"
        )
        ending = {0: ", from which it cannot be told apart", 1: " and is above it", -1: ", which stays ahead"}
        text += f". {share} the model trained on all data pooled ({decimal(pooled['value_b'])})"
        text += ending[_sign(pooled)]
    return text + "."


def _inputs(document: Mapping[str, Any]) -> str:
    inputs = document["models"]["federated"][EVERY_SITE]["icdr"]["by_input"]
    image = figure(inputs["image"])
    if image.value is None:
        return ""
    text = f"From the photograph alone it reaches {with_interval(image.value, image.interval)}"
    note, form = figure(inputs["note"]).value, figure(inputs["structured"]).value
    others = [
        f"from {name} alone {decimal(value)}"
        for name, value in (("the note", note), ("the structured values", form))
        if value is not None
    ]
    text += f", {' and '.join(others)}" if others else ""
    against = contrast(document, "federated", ("image", "note"))
    if against is None:
        return text + "."
    meaning = {
        1: "the photograph tells more than the note",
        0: "photograph and note cannot be told apart",
        -1: "the note tells more than the photograph",
    }[_sign(against)]
    return f"{text}: {meaning} ({_difference(against)})."


def _floor(document: Mapping[str, Any]) -> str:
    majority = (document["models"].get("majority") or {}).get(EVERY_SITE)
    if not majority or majority["icdr"]["accuracy"] is None:
        return ""
    federated = document["models"]["federated"][EVERY_SITE]["icdr"]["accuracy"]
    right = percent(majority["icdr"]["accuracy"])
    text = f"Always answering the commonest training grade is right in {right} of cases"
    kappa = majority["icdr"]["quadratic_weighted_kappa"]
    text += f" at a kappa of {decimal(kappa)}" if kappa is not None else ""
    return text + (f"; the federated model in {percent(federated)}." if federated is not None else ".")


def _retrieval(document: Mapping[str, Any]) -> str:
    found = document["models"]["federated"][EVERY_SITE]["retrieval"]["unimodal"]["text_to_image"]
    if found["recall_at_10"] is None:
        return ""
    chance = min(1.0, 10 / found["n"])
    return (
        f"Given a note alone, its photograph is among the first ten of {found['n']:,} in"
        f" {percent(found['recall_at_10'])} of cases; chance gives {percent(chance)}, and with"
        f" {found['unique_notes']:,} distinct notes {percent(found['ceiling_at_10'])} is the most possible."
    )


def _difference(entry: Entry) -> str:
    return f"difference {with_interval(entry['difference'], entry['interval'], signed=True)}"


def _absolute(entry: Entry) -> list[float] | None:
    return sorted(abs(bound) for bound in entry["interval"]) if entry["interval"] else None
