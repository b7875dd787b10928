"""What handing the least certain cases to a person buys: the risk-coverage curve and the referral sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from markupsafe import Markup

from shared_model.report.palette import FEDERATED, POOLED
from shared_model.report.plots import MUTED, panel, styled, svg
from shared_model.report.text import share

_MARKERS = ("o", "s", "D")
_WAYS = {
    "scatter": "how widely the probable grades scatter",
    "disagreement": "whether the photograph alone says the same",
}


def drawing(trust: Mapping[str, Any], task: str) -> Markup | None:
    """Share of errors among the most certain photographs, beside a random and a perfect order; None without it."""
    curve = trust["risk_coverage"]
    if curve is None:
        return None
    coverage = np.array(curve["coverage"])
    error = curve["aurc_at_random"]
    best = np.maximum(0.0, coverage - (1.0 - error)) / coverage
    with styled():
        plot, (axis,) = panel(4.6, 3.4)
        axis.plot(coverage, np.full(len(coverage), error), color=MUTED, linestyle=":", label="at random")
        axis.plot(coverage, best, color=MUTED, linestyle="--", linewidth=1.0, label="a perfect order")
        axis.plot(
            coverage, curve["risk"], color=FEDERATED.light, linewidth=2.2, label="by its own confidence"
        )
        for marker, found in zip(_MARKERS, trust["referral"], strict=False):
            if found["threshold"] is not None:
                axis.plot(
                    1.0 - found["share_referred"],
                    1.0 - found["accuracy_of_rest"],
                    marker,
                    color=POOLED.light,
                    markersize=6,
                    linestyle="none",
                    label=f"{share(found['level'])} right: {share(found['share_referred'])} to a person",
                )
        axis.set_xlim(0, 1.02)
        axis.set_ylim(bottom=-0.01)
        axis.set_xlabel("share of photographs that the model keeps, most certain first")
        axis.set_ylabel("errors among them")
        axis.set_title(f"{task.upper()}: errors by how much it keeps")
        axis.legend(frameon=False, loc="upper left", fontsize=7.8)
        axis.set_ylim(top=1.55 * max(error, *curve["risk"]) + 0.02)  # room for the legend
        return svg(plot, f"Risk-coverage curve of {task.upper()}")


def sentences(trust: Mapping[str, Any]) -> list[str]:
    """A sentence a level of accuracy, then what another order would change. Empty where there is no curve."""
    if trust["referral"] is None:
        return []
    said = [_referral(found) for found in trust["referral"]]
    better = [_WAYS[name] for name in trust["better"] if name in _WAYS]
    if better:
        said.append(f"Ordering by {' or by '.join(better)} would find errors sooner here.")
    else:
        said.append("No other order that was tried finds errors clearly sooner.")
    return said


def _referral(found: Mapping[str, Any]) -> str:
    level = f"To be right in {share(found['level'])} of the rest"
    if found["threshold"] is None:
        return f"{level}: not available, {found['unavailable']}."
    text = (
        f"{level}: {share(found['share_referred'])} go to a person (those less certain than "
        f"{1 - found['threshold']:.2f}); on the remaining {found['n_rest']:,} photographs accuracy is "
        f"{share(found['accuracy_of_rest'])}."
    )
    across = found["across"]
    if across is None:
        return f"{text} Not available with the threshold chosen on other patients: there is a single one."
    if across["accuracy_of_rest"] is None:
        return f"{text} With the threshold chosen on the other half of the patients nothing would be kept."
    return (
        f"{text} With the threshold chosen on the other half of the patients, which is what to expect elsewhere: "
        f"{share(across['share_referred'])} go to a person, and accuracy is {share(across['accuracy_of_rest'])}."
    )
