"""The metrics document arranged for the page: headline figures, tables, confusion matrices, retrieval.

Numbers become text here and nowhere else, so that "not available" reads the same throughout; the template
holds the order of things and no arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared_model.metrics.document import EVERY_SITE
from shared_model.metrics.retrieval import KS
from shared_model.metrics.summary import (
    NOT_AVAILABLE,
    Figure,
    figure,
    model_label,
    ordered,
    percent,
    summary_table,
)
from shared_model.report.palette import Colour, model_colour
from shared_model.report.verdict import contrast, decimal, with_interval

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Cell:
    """A figure as text: the value, and the small print under it. `value` is empty where there is none, and
    `absent` then says why if it is not that the data cannot support it.
    """

    value: str
    small: str = ""
    absent: str = ""

    def __bool__(self) -> bool:
        return bool(self.value)


@dataclass(frozen=True)
class Row:
    """A labelled line of cells in a model's colour."""

    label: str
    colour: str
    cells: list[Cell]


def cell(found: Figure, share: bool = False) -> Cell:
    """A figure with its interval as small print."""
    if found.value is None:
        return Cell("")
    if share:
        return Cell(percent(found.value))
    return Cell(decimal(found.value), _bounds(found.interval))


def headline_figures(document: Document) -> list[dict[str, str]]:
    """The four or five numbers at the top: title, value, small print."""
    federated = document["models"]["federated"][EVERY_SITE]
    local, pooled = contrast(document, "mean(local)"), contrast(document, "pooled")
    image = figure(federated["icdr"]["by_input"]["image"])
    found = federated["retrieval"]["unimodal"]["text_to_image"]
    tiles = [
        ("ICDR kappa, all inputs", cell(figure(federated["icdr"])), "federated, all sites"),
        ("Gain over the sites alone", _signed(local), "paired difference in kappa"),
        ("Share of pooled", _share(pooled), "of the kappa with all data in one place"),
        ("ICDR kappa, image only", cell(image), "the photograph and nothing else"),
        ("Retrieval, R@10", cell(Figure(found["recall_at_10"]), share=True), _of_ceiling(found)),
    ]
    return [
        {"title": title, "value": shown.value, "interval": shown.small, "note": note}
        for title, shown, note in tiles
    ]


def comparison(document: Document, sites: Mapping[str, Colour]) -> list[Row]:
    """The table of all models over all sites, in the order of COLUMNS without the ceilings."""
    wanted = ("icdr_kappa", "icdr_image", "icdr_note", "icdr_structured", "icdr_accuracy", "icdr_macro_f1")
    shares = ("recall_at_1", "recall_at_10")
    return [
        Row(
            row.label,
            model_colour(row.key, sites).css,
            [cell(row.figures[key]) for key in (*wanted, "sdrg_kappa")]
            + [cell(row.figures[key], share=True) for key in shares],
        )
        for row in summary_table(document)
    ]


def per_site(document: Document, sites: Mapping[str, Colour]) -> list[Row]:
    """Each model on each site's own test photographs: ICDR kappa with all inputs, then image only."""
    models = document["models"]
    return [
        Row(
            model_label(name),
            model_colour(name, sites).css,
            [found for s in sites for found in _on(models[name], s)],
        )
        for name in ordered(models)
    ]


def weights(document: Document, sites: Mapping[str, Colour]) -> list[Row]:
    """Last-round weights beside those best on validation: ICDR kappa, all inputs and image only."""
    last, best = document["models"], (document.get("best_validation") or {}).get("models") or {}
    return [
        Row(
            model_label(name),
            model_colour(name, sites).css,
            [found for models in (last, best) for found in _on(models.get(name) or {}, EVERY_SITE)],
        )
        for name in ordered(last)
        if name != "majority"
    ]


def retrieval(document: Document, protocol: str, sites: Mapping[str, Colour]) -> dict[str, Any]:
    """One protocol's table: recall at each K of every model that retrieves, with ceiling and chance."""
    tables = {
        name: figures[EVERY_SITE]["retrieval"][protocol]["text_to_image"]
        for name, figures in document["models"].items()
        if name != "majority"
    }
    federated = tables["federated"]
    ceiling = [federated[f"ceiling_at_{k}"] for k in KS]
    chance = [min(1.0, k * federated["chance_at_1"]) if federated["chance_at_1"] else None for k in KS]
    # Encoded with its photograph, a note is not bound by the ceiling of the notes.
    tops = dict(zip(KS, ceiling, strict=True)) if protocol == "unimodal" else dict.fromkeys(KS)
    rows = [
        Row(
            model_label(name),
            model_colour(name, sites).css,
            [_recall(tables[name][f"recall_at_{k}"], tops[k]) for k in KS],
        )
        for name in ordered(tables)
    ]
    return {
        "rows": rows,
        "ceiling": [cell(Figure(value), share=True) for value in ceiling],
        "chance": [cell(Figure(value), share=True) for value in chance],
        "n": federated["n"],
        "unique_notes": federated["unique_notes"],
        "available": any(bool(found) for row in rows for found in row.cells),
    }


def confusions(document: Document, task: str, sites: Sequence[str]) -> list[dict[str, Any]]:
    """The federated model's matrices, all sites first; cells hold the count and its share of the row."""
    federated = document["models"]["federated"]
    return [matrix(name, federated[name][task]) for name in (EVERY_SITE, *sites) if name in federated]


def _on(figures: Mapping[str, Any], group: str) -> list[Cell]:
    icdr = (figures.get(group) or {}).get("icdr") or {}
    return [cell(figure(icdr)), cell(figure((icdr.get("by_input") or {}).get("image")))]


def _signed(entry: Mapping[str, Any] | None) -> Cell:
    if entry is None:
        return Cell("")
    return Cell(decimal(entry["difference"], signed=True), _bounds(entry["interval"], signed=True))


def _bounds(interval: Sequence[float] | None, signed: bool = False) -> str:
    """Small print of an interval; none where every resample gave the same, as for a constant answer."""
    if not interval or interval[0] == interval[1]:
        return ""
    return f"[{decimal(interval[0], signed)}, {decimal(interval[1], signed)}]"


def _share(entry: Mapping[str, Any] | None) -> Cell:
    return Cell("" if entry is None or entry["ratio"] is None else f"{100 * entry['ratio']:.0f} %")


def _of_ceiling(found: Mapping[str, Any]) -> str:
    top = found["ceiling_at_10"]
    return f"unimodal; the notes allow {percent(top)}" if top is not None else "unimodal"


def _recall(value: float | None, ceiling: float | None) -> Cell:
    if value is None:
        return Cell("")
    return Cell(percent(value), f"{100 * value / ceiling:.0f} % of ceiling" if ceiling else "")


def matrix(name: str, figures: Mapping[str, Any]) -> dict[str, Any]:
    """A confusion matrix by its name, with its kappa: counts, shares of the row and recall of each grade."""
    counts = figures["confusion"]
    rows = [
        {
            "cells": [{"count": count, "share": round(100 * count / max(sum(row), 1))} for count in row],
            "recall": NOT_AVAILABLE if recall is None else f"{100 * recall:.0f} %",
            "there": recall is not None,
        }
        for row, recall in zip(counts, figures["recall_per_grade"], strict=True)
    ]
    kappa = figure(figures)
    return {
        "name": "All sites" if name == EVERY_SITE else name,
        "n": figures["n"],
        "rows": rows,
        "kappa": with_interval(kappa.value, kappa.interval) if kappa.value is not None else NOT_AVAILABLE,
    }
