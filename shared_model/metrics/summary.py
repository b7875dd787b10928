"""The table that is read first: what each model of `metrics.json` scores with all inputs and with each alone.

The terminal and the report print the same rows, so that they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared_model.metrics.document import EVERY_SITE, KAPPA, LOCAL

NOT_AVAILABLE = "not available"

COLUMNS: Mapping[str, str] = {
    "icdr_kappa": "ICDR kappa",
    "icdr_image": "image only",
    "icdr_note": "note only",
    "icdr_structured": "structured only",
    "icdr_accuracy": "ICDR accuracy",
    "icdr_macro_f1": "ICDR macro-F1",
    "sdrg_kappa": "SDRG kappa",
    "recall_at_1": "R@1",
    "recall_at_10": "R@10",
    "ceiling_at_1": "R@1 ceiling",
    "ceiling_at_10": "R@10 ceiling",
}
SHARES = frozenset({"recall_at_1", "recall_at_10", "ceiling_at_1", "ceiling_at_10"})


@dataclass(frozen=True)
class Figure:
    """A value with its 95 % interval; None for what the data cannot support."""

    value: float | None
    interval: tuple[float, float] | None = None

    def text(self, share: bool = False) -> str:
        """`0.62 [0.55, 0.68]`, or a share in percent; "not available" without a value."""
        if self.value is None:
            return NOT_AVAILABLE
        if share:
            return percent(self.value)
        shown = f"{self.value:.2f}"
        return shown + (f" [{self.interval[0]:.2f}, {self.interval[1]:.2f}]" if self.interval else "")


@dataclass(frozen=True)
class SummaryRow:
    """One model of the table. key: its name in the document; label: for people; figures: by COLUMNS."""

    key: str
    label: str
    figures: dict[str, Figure]

    def cells(self) -> list[str]:
        """The label and one text per column, ready to print."""
        return [self.label, *(self.figures[key].text(key in SHARES) for key in COLUMNS)]


def summary_table(
    document: Mapping[str, Any], weights: str = "last", on: str = EVERY_SITE
) -> list[SummaryRow]:
    """One row a model, the federated first and the majority last.

    weights: "last" for the last round's, "best_validation" for those best on validation. on: "all" or a site.
    """
    models = document["models"] if weights == "last" else document[weights]["models"]
    return [SummaryRow(name, model_label(name), _row(models[name].get(on) or {})) for name in ordered(models)]


def ordered(models: Mapping[str, Any]) -> list[str]:
    """Names of the models in the order of every table and plot: federated, pooled, local, majority."""
    last = {"federated": 0, "pooled": 1, "pooled_equal_steps": 2, "majority": 4}
    return sorted(models, key=lambda name: (last.get(name, 3), name))


def model_label(name: str) -> str:
    """A model's name as people read it."""
    names = {
        "federated": "Federated",
        "pooled": "Pooled",
        "pooled_equal_steps": "Pooled, equal steps",
        "majority": "Majority grade",
    }
    return f"{name.removeprefix(LOCAL)} alone" if name.startswith(LOCAL) else names.get(name, name)


def figure(figures: Mapping[str, Any] | None, metric: str = KAPPA) -> Figure:
    """A metric of one figures object of the document with its interval, if it has them."""
    found = figures or {}
    interval = (found.get("intervals") or {}).get(metric)
    return Figure(found.get(metric), tuple(interval) if interval else None)


def percent(value: float | None) -> str:
    """A share in percent: two decimals below 10 %, one above."""
    if value is None:
        return NOT_AVAILABLE
    return f"{100 * value:.2f} %" if value < 0.0995 else f"{100 * value:.1f} %"


def _row(group: Mapping[str, Any]) -> dict[str, Figure]:
    icdr, sdrg = group.get("icdr") or {}, group.get("sdrg") or {}
    inputs = icdr.get("by_input") or {}
    found = ((group.get("retrieval") or {}).get("unimodal") or {}).get("text_to_image") or {}
    return {
        "icdr_kappa": figure(icdr),
        **{f"icdr_{given}": figure(inputs.get(given)) for given in ("image", "note", "structured")},
        "icdr_accuracy": figure(icdr, "accuracy"),
        "icdr_macro_f1": figure(icdr, "macro_f1"),
        "sdrg_kappa": figure(sdrg),
        **{name: Figure(found.get(name)) for name in COLUMNS if name in SHARES},
    }
