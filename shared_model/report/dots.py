"""Dots with intervals: the kappa of each model from each input, to show what the photograph adds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes

from shared_model.metrics.document import EVERY_SITE
from shared_model.metrics.summary import Figure, figure, model_label, ordered
from shared_model.report.palette import Colour, model_colour
from shared_model.report.plots import INK, MUTED, panel, styled, svg

ROWS = {"all": "All inputs", "image": "Image only", "note": "Note only", "structured": "Structured only"}


def kappa_by_input(models: Mapping[str, Any], task: str, sites: Mapping[str, Colour]) -> Markup | None:
    """Quadratic weighted kappa over all sites, a block an input and a dot a model; None without labels."""
    names = [name for name in ordered(models) if name != "majority"]
    figures = {name: (models[name].get(EVERY_SITE) or {}).get(task) or {} for name in names}
    found = {(row, n): figure((figures[n].get("by_input") or {}).get(row)) for row in ROWS for n in names}
    if all(value.value is None for value in found.values()):
        return None
    with styled():
        drawing, (axis,) = panel(4.6, 0.8 + len(ROWS) * (0.24 + 0.115 * len(names)))
        axis.axvline(0, color=MUTED, linewidth=0.8)
        for block, row in enumerate(ROWS):
            top = block * (len(names) + 2)
            for i, name in enumerate(names):
                _dot(axis, top + i, found[row, name], model_colour(name, sites))
            if all(found[row, name].value is None for name in names):
                axis.text(0.02, top + (len(names) - 1) / 2, "not available", color=MUTED, va="center")
        centres = [block * (len(names) + 2) + (len(names) - 1) / 2 for block in range(len(ROWS))]
        axis.set_yticks(centres, list(ROWS.values()), color=INK)
        axis.set_ylim(len(ROWS) * (len(names) + 2) - 2, -1)
        axis.set_title(f"{task.upper()}: quadratic weighted kappa")
        axis.grid(False, axis="y")
        axis.spines["left"].set_visible(False)
        return svg(drawing, f"{task.upper()} kappa by input for {', '.join(map(model_label, names))}")


def _dot(axis: Axes, row: float, value: Figure, colour: Colour) -> None:
    if value.value is None:
        return
    if value.interval:
        axis.plot(value.interval, [row, row], color=colour.light, linewidth=1.4, alpha=0.65)
    size = 5.0 if colour.name == "federated" else 4.0
    hollow = colour.name == "equal-steps"
    axis.plot(
        value.value, row, "o", color=colour.light, markersize=size, fillstyle="none" if hollow else "full"
    )
