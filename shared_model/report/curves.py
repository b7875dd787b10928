"""Curves over rounds, from the history: convergence, loss terms and their weights, bytes and seconds.

Every function returns None where the history holds nothing to draw; the page then says so in words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from shared_model.metrics.document import KAPPA
from shared_model.metrics.summary import model_label, ordered
from shared_model.report.palette import Colour, model_colour
from shared_model.report.plots import MUTED, panel, styled, svg

Entry = Mapping[str, Any]
Line = tuple[str, Colour, list[int], list[float]]  # label, colour, rounds, values

TERMS = {
    "image_text": "Image to text",
    "image_structured": "Image to structured",
    "text_structured": "Text to structured",
    "image_reconstruction": "Image reconstruction",
    "text_reconstruction": "Text reconstruction",
    "grading": "Grading",
}


def kappa_of(entry: Entry) -> float | None:
    """ICDR kappa of a history entry, or of one of its sites."""
    found: float | None = ((entry.get("validation") or {}).get("icdr") or {}).get(KAPPA)
    return found


def loss_of(entry: Entry) -> float | None:
    """Validation loss of a history entry, or of one of its sites."""
    found: float | None = entry.get("validation_loss", (entry.get("validation") or {}).get("loss"))
    return found


def by_model(
    history: Sequence[Entry],
    value: Callable[[Entry], float | None],
    sites: Mapping[str, Colour],
    title: str,
    *,
    floor: float | None = None,
) -> Markup | None:
    """One line a model over the rounds; the axis starts at `floor` if there is one."""
    lines = []
    for model in ordered(dict.fromkeys(entry["model"] for entry in history)):
        entries = _of(history, model)
        lines.append(_line(model_label(model), model_colour(model, sites), entries, value))
    return _drawn(lines[::-1], title, floor)  # the federated model on top


def by_site(
    history: Sequence[Entry], value: Callable[[Entry], float | None], sites: Mapping[str, Colour], title: str
) -> Markup | None:
    """One line a site of the federated model over the rounds."""
    entries = _of(history, "federated")
    return _drawn([_site_line(site, colour, entries, value) for site, colour in sites.items()], title)


def loss_terms(history: Sequence[Entry], sites: Mapping[str, Colour]) -> list[Markup]:
    """One drawing a loss term of the federated model: the loss at each site, and its weight below."""
    entries = _of(history, "federated")
    names = {
        name: None
        for entry in entries
        for site in entry["sites"].values()
        for name in site.get("losses") or {}
    }
    drawings = []
    for name in sorted(
        names, key=lambda term: (list(TERMS).index(term) if term in TERMS else len(TERMS), term)
    ):
        losses, weights = (
            [_site_line(s, colour, entries, _item(field, name)) for s, colour in sites.items()]
            for field in ("losses", "loss_weights")
        )
        if _finite(losses):
            drawings.append(_term(TERMS.get(name, name), losses, weights))
    return drawings


def traffic(history: Sequence[Entry]) -> Markup | None:
    """Megabytes that all sites sent and received in each round of the federated model."""
    entries = [
        entry for entry in _of(history, "federated") if entry.get("bytes_up") or entry.get("bytes_down")
    ]
    if not entries:
        return None
    rounds = np.array([entry["round"] for entry in entries])
    with styled():
        figure, (axis,) = panel()
        for field, label, offset, alpha in (("bytes_up", "up", -0.2, 1.0), ("bytes_down", "down", 0.2, 0.45)):
            size = [entry.get(field, 0) / 1e6 for entry in entries]
            axis.bar(
                rounds + offset,
                size,
                0.38,
                color=model_colour("federated", {}).light,
                alpha=alpha,
                label=label,
            )
        axis.legend(frameon=False, ncols=2, loc="upper right", bbox_to_anchor=(1, 1.16), handlelength=1)
        _over_rounds(axis, "Megabytes a round, all sites")
        axis.grid(False, axis="x")
        return svg(figure, "Megabytes sent to and from all sites in each round")


def seconds(history: Sequence[Entry], sites: Mapping[str, Colour]) -> Markup | None:
    """Seconds of each round, one line a model."""
    trained = [entry for entry in history if entry["round"] > 0]
    return by_model(trained, lambda entry: entry.get("seconds"), sites, "Seconds a round", floor=0.0)


def _of(history: Sequence[Entry], model: str) -> list[Entry]:
    return sorted((entry for entry in history if entry["model"] == model), key=lambda entry: entry["round"])


def _item(field: str, name: str) -> Callable[[Entry], float | None]:
    return lambda site: (site.get(field) or {}).get(name)


def _line(
    label: str, colour: Colour, entries: Sequence[Entry], value: Callable[[Entry], float | None]
) -> Line:
    values = [value(entry) for entry in entries]
    return label, colour, [entry["round"] for entry in entries], [np.nan if v is None else v for v in values]


def _site_line(
    site: str, colour: Colour, entries: Sequence[Entry], value: Callable[[Entry], float | None]
) -> Line:
    there = [entry for entry in entries if site in (entry.get("sites") or {})]
    label, colour, _, values = _line(
        site, colour, [entry["sites"][site] | {"round": 0} for entry in there], value
    )
    return label, colour, [entry["round"] for entry in there], values


def _finite(lines: Sequence[Line]) -> bool:
    return any(np.isfinite(values).any() for *_, values in lines)


def _drawn(lines: Sequence[Line], title: str, floor: float | None = None) -> Markup | None:
    if not _finite(lines):
        return None
    with styled():
        figure, (axis,) = panel()
        _draw(axis, lines)
        _over_rounds(axis, title)
        axis.set_ylim(bottom=floor)
        return svg(figure, f"{title} over rounds: {', '.join(label for label, *_ in lines)}")


def _term(title: str, losses: Sequence[Line], weights: Sequence[Line]) -> Markup:
    with styled():
        figure, (above, below) = panel(3.4, 2.5, 2, sharex=True, height_ratios=[3, 2])
        _draw(above, losses)
        _draw(below, weights)
        _over_rounds(above, title)
        _over_rounds(below, "")
        above.set(xlabel="", ylabel="loss")
        below.set(ylabel="weight")
        below.set_ylim(bottom=0)
        return svg(figure, f"{title}: training loss and its weight over rounds, by site")


def _draw(axis: Axes, lines: Sequence[Line]) -> None:
    for label, colour, rounds, values in lines:
        federated = colour.name == "federated"
        axis.plot(
            rounds,
            values,
            color=colour.light,
            linestyle=colour.dash,
            linewidth=2.4 if federated else 1.5,
            marker="o" if len(rounds) < 3 else None,
            markersize=4,
            label=label,
        )


def _over_rounds(axis: Axes, title: str) -> None:
    axis.set_title(title)
    axis.set_xlabel("round", loc="right")
    if np.ptp(axis.dataLim.intervalx) == 0:  # a single round: room for its dot, and one whole number below
        axis.set_xlim(axis.dataLim.x0 - 0.5, axis.dataLim.x0 + 0.5)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    axis.yaxis.set_major_locator(MaxNLocator(nbins=5))
    axis.xaxis.label.set_color(MUTED)
