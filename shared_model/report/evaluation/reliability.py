"""Whether a probability means what it says: reliability diagrams before and after the temperature, and the figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from shared_model.metrics.grading import Floats
from shared_model.metrics.summary import figure
from shared_model.report.palette import FEDERATED, POOLED, Colour
from shared_model.report.plots import MUTED, panel, styled, svg
from shared_model.report.views import Cell, cell

Bins = Sequence[Mapping[str, Any]]
SIDES = {"bins": "Probability of the predicted grade", "referable_bins": "Probability of grade 2 or above"}
LABELS = {
    "ece": ("Calibration error", "of the predicted grade’s probability"),
    "brier": ("Brier score", "over five grades, 0 to 2"),
    "log_loss": ("Log loss", "nats"),
    "referable_ece": ("Calibration error, referable", "of the probability of grade 2 or above"),
    "referable_brier": ("Brier score, referable", "0 to 1"),
}


def rows(trust: Mapping[str, Any]) -> list[tuple[str, str, list[Cell]]]:
    """For each of LABELS its value before and after, or as it is where no temperature was fitted."""
    sides = ("before", "after") if trust["fitted"] else ("before",)
    found = []
    for name, (label, small) in LABELS.items():
        cells = [cell(figure(trust["calibration"][side], name)) for side in sides]
        found.append((label, small, cells))
    return found


def drawing(trust: Mapping[str, Any], which: str, task: str) -> Markup | None:
    """One diagram of SIDES with its histogram below; None without a bin."""
    before, after = (trust["calibration"][side][which] for side in ("before", "after"))
    if not before:
        return None
    with styled():
        plot, (above, below) = panel(4.6, 4.2, 2, sharex=True, height_ratios=[4, 1])
        above.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=":")
        if trust["fitted"]:
            _series(above, before, POOLED, "as the model says", hollow=True)
            _series(above, after, FEDERATED, f"at a temperature of {trust['temperature']:.2f}")
        else:
            _series(above, after, FEDERATED, "as the model says (no temperature)")
        shown = after if trust["fitted"] else before
        below.bar(
            [(b["low"] + b["high"]) / 2 for b in shown],
            [b["n"] for b in shown],
            width=0.9 / len(shown),
            color=FEDERATED.light,
            alpha=0.6,
        )
        above.set(xlim=(-0.02, 1.02), ylim=(-0.03, 1.03))
        above.set_ylabel("share that is right" if which == "bins" else "share that is referable")
        below.set_xlabel("what the model says")
        below.set_ylabel("photographs")
        below.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=3))
        below.grid(False, axis="x")
        above.set_title(f"{task.upper()}: {SIDES[which][0].lower()}{SIDES[which][1:]}", pad=20)
        above.legend(
            frameon=False, loc="lower left", bbox_to_anchor=(-0.02, 0.99), ncols=2, handletextpad=0.2
        )
        return svg(plot, f"Reliability of {SIDES[which].lower()}, {task.upper()}")


def _series(axis: Axes, bins: Bins, colour: Colour, label: str, hollow: bool = False) -> None:
    """Dots of an area that grows with the photographs behind them; full ones with a binomial interval."""
    there = [found for found in bins if found["n"]]
    n, said, was = (np.array([found[key] for found in there]) for key in ("n", "confidence", "accuracy"))
    if not hollow:
        axis.vlines(said, *_wilson(was, n), color=colour.light, linewidth=1.0, alpha=0.45)
    face = "none" if hollow else colour.light
    axis.scatter(
        said,
        was,
        s=14 + 90 * n / n.max(),
        facecolors=face,
        edgecolors=colour.light,
        linewidths=1.2,
        label=label,
    )


def _wilson(share: Floats, n: Floats) -> tuple[Floats, Floats]:
    """Wilson's interval (95 %) of a share of n."""
    z = 1.96
    middle, half = share + z**2 / (2 * n), z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return (middle - half) / (1 + z**2 / n), (middle + half) / (1 + z**2 / n)
