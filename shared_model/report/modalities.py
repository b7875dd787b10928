"""What each modality is worth to the federated model: a table and a drawing for each task, site by site.

Every gain is over the photograph alone on the very same photographs, so it may differ from the difference of the
two kappas beside it. What a site does not hold reads so, and is not taken for a figure that could not be computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes

from shared_model.metrics.document import EVERY_SITE, KAPPA
from shared_model.metrics.modalities import ROWS
from shared_model.metrics.summary import Figure
from shared_model.report.palette import FEDERATED, Colour
from shared_model.report.plots import INK, MUTED, panel, styled, svg
from shared_model.report.verdict import with_interval
from shared_model.report.views import Cell, Row, cell

Entry = Mapping[str, Any]
NOT_HELD = "not held"
LABELS = {
    "image": "Image only",
    "image_note": "Image + note",
    "image_structured": "Image + structured",
    "all": "All",
}
_HEIGHT = 0.175  # inches a line of the drawing
_NAME = 28  # characters of a site's name that leave room for the dots


def worth(document: Mapping[str, Any], task: str, sites: Mapping[str, Colour]) -> list[Row]:
    """One row for all sites and one a site: kappa from the photograph, then kappa and gain of each larger input.

    Empty where no entry of the task has a figure, or the document has no entries at all.
    """
    found = _by_place(document, task)
    if all(entry[KAPPA] is None for entry in found.values()):
        return []
    return [
        Row(name, colour.css, [shown for given in ROWS for shown in _cells(found.get((on, given)), given)])
        for on, name, colour in _groups(sites)
    ]


def worth_drawing(document: Mapping[str, Any], task: str, sites: Mapping[str, Colour]) -> Markup | None:
    """Kappa with its interval from each input, a block for all sites and one a site; None without a figure."""
    found = _by_place(document, task)
    if all(entry[KAPPA] is None for entry in found.values()):
        return None
    groups = _groups(sites)
    with styled():
        drawing, (axis,) = panel(5.2, 0.6 + _HEIGHT * len(groups) * (len(ROWS) + 1.6))
        axis.axvline(0, color=MUTED, linewidth=0.8)
        ticks: dict[float, str] = {}
        for block, (on, name, colour) in enumerate(groups):
            top = block * (len(ROWS) + 1.6)
            ticks[top - 1] = name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"
            for i, given in enumerate(ROWS):
                ticks[top + i] = LABELS[given]
                _line(axis, top + i, found.get((on, given)), colour)
        axis.set_yticks(list(ticks), list(ticks.values()), color=INK)
        for label in axis.get_yticklabels()[:: len(ROWS) + 1]:
            label.set_fontweight("bold")
        axis.set_ylim(max(ticks) + 0.7, -1.6)
        axis.set_title(f"{task.upper()}: quadratic weighted kappa")
        axis.grid(False, axis="y")
        axis.spines["left"].set_visible(False)
        return svg(drawing, f"{task.upper()} kappa from each input, over all sites and at each site")


def _by_place(document: Mapping[str, Any], task: str) -> dict[tuple[str, str], Entry]:
    entries: Sequence[Entry] = document.get("modalities") or ()
    return {(entry["on"], entry["input"]): entry for entry in entries if entry["task"] == task}


def _groups(sites: Mapping[str, Colour]) -> list[tuple[str, str, Colour]]:
    return [(EVERY_SITE, "All sites", FEDERATED), *((site, site, colour) for site, colour in sites.items())]


def _cells(entry: Entry | None, given: str) -> list[Cell]:
    if entry is None:
        return [Cell("")] * (1 if given == "image" else 2)
    if not entry["held"]:
        return [Cell("", absent=NOT_HELD), Cell("", absent="–")]
    kappa = cell(_figure(entry))
    kappa = Cell(kappa.value, f"{kappa.small}, n {entry['n']:,}".removeprefix(", ")) if kappa else kappa
    if given == "image":
        return [kappa]
    if entry["difference"] is None:
        return [kappa, Cell("")]
    gain, _, interval = with_interval(entry["difference"], entry["difference_interval"], True).partition(" ")
    return [kappa, Cell(gain, interval)]


def _figure(entry: Entry) -> Figure:
    interval = entry["interval"]
    return Figure(entry[KAPPA], tuple(interval) if interval else None)


def _line(axis: Axes, row: float, entry: Entry | None, colour: Colour) -> None:
    if entry is None or entry[KAPPA] is None:
        words = NOT_HELD if entry is not None and not entry["held"] else "not available"
        axis.text(0.02, row, words, color=MUTED, va="center", style="italic")
        return
    if entry["interval"]:
        axis.plot(entry["interval"], [row, row], color=colour.light, linewidth=1.6, alpha=0.65)
    hollow = entry["input"] == "image"  # what the others are measured against
    axis.plot(
        entry[KAPPA], row, "o", color=colour.light, markersize=4.8, fillstyle="none" if hollow else "full"
    )
