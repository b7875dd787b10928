"""Matplotlib figures as inline SVG that follows the page: its fonts, its light and its dark.

Colours leave matplotlib as CSS variables, text as text, and sizes as a viewBox, so that one drawing serves
phone, desktop, both colour schemes and print. Nothing in it refers to anything outside the page.
"""

from __future__ import annotations

import io
import re
from contextlib import AbstractContextManager
from typing import Any

import matplotlib
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from shared_model.report import palette

# Stand-ins that no drawing uses otherwise; each becomes the page's own variable.
INK, MUTED, GRID = "#010203", "#020304", "#030405"
_VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--line)",
    **{colour.light: colour.css for colour in palette.ALL},
}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: the page's font, selectable, small
    "svg.hashsalt": "fedfundus",  # equal figures, equal bytes
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "font.size": 8.5,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": GRID,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.labelsize": 8.5,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
}
_REFERENCE = re.compile(r'(?:url\(#|href="#)([^")]+)')


def styled() -> AbstractContextManager[None]:
    """The context in which every figure is made: `with styled(): figure, axes = panel(...)`."""
    return matplotlib.rc_context(_STYLE)


def panel(width: float = 4.6, height: float = 2.7, rows: int = 1, **layout: Any) -> tuple[Figure, list[Axes]]:
    """A figure of `width` x `height` inches with its axes in one column, on transparent ground."""
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.patch.set_alpha(0.0)
    axes = figure.subplots(rows, 1, squeeze=False, **layout)
    for axis in axes.flat:
        axis.patch.set_alpha(0.0)
    return figure, list(axes.flat)


def svg(figure: Figure, label: str) -> Markup:
    """The figure as an <svg> element; `label` is what a screen reader says instead."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    drawing = buffer.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    drawing = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", drawing, flags=re.DOTALL)
    view = re.search(r'viewBox="[^"]+"', drawing)
    opening = f'<svg {view[0] if view else ""} role="img" aria-label="{escape(label)}">'
    drawing = re.sub(r"<svg[^>]*>", lambda _: opening, drawing, count=1)
    used = set(_REFERENCE.findall(drawing))
    drawing = re.sub(r' id="([^"]+)"', lambda found: found[0] if found[1] in used else "", drawing)
    for stand_in, variable in _VARIABLES.items():
        drawing = drawing.replace(stand_in, variable)
    return Markup(drawing)  # matplotlib escapes the texts it draws
