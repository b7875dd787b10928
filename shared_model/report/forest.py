"""The differences between models as a forest: one line each, all placed on one axis common to both tasks.

Positions are percentages, so that a browser draws it at any width; the line of no difference is always there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shared_model.metrics.document import EVERY_SITE
from shared_model.metrics.summary import model_label
from shared_model.records import TASKS
from shared_model.report.strips import axis, tick_text
from shared_model.report.verdict import with_interval

Entry = Mapping[str, Any]

_INPUTS = {"all": "all inputs", "image": "image only", "note": "note only", "structured": "structured only"}
_MODELS = {"mean(local)": "the mean of the sites alone", "pooled": "pooled training"}


def forest(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Task -> its lines, the ticks of the axis, where 0 is, and whether any difference is available."""
    entries: Sequence[Entry] = document.get("comparisons") or ()
    place, ticks = _axis(entries)
    return {
        task: {
            "zero": place(0.0),
            "ticks": [{"at": place(tick), "text": tick_text(tick)} for tick in ticks],
            "rows": [_row(entry, place) for entry in entries if entry["task"] == task],
            "available": any(e["difference"] is not None for e in entries if e["task"] == task),
        }
        for task in TASKS
    }


def _axis(entries: Sequence[Entry]) -> tuple[Callable[[float], str], list[float]]:
    """Placement in percent of an axis that holds every bound and 0, and at most five round ticks on it."""
    known = [entry for entry in entries if entry["difference"] is not None]
    bounds = [0.0, *(bound for e in known for bound in (e["difference"], *(e["interval"] or ())))]
    return axis(bounds)


def _words(entry: Entry) -> dict[str, str]:
    """What the federated model is set against, and on what."""
    given, other = entry["input"], entry.get("input_b", entry["input"])
    if other != given:
        own = _INPUTS[other].replace(" ", "-")
        return {"label": f"its own {own} grading", "small": f"{_INPUTS[given]}, same photographs"}
    label = _MODELS.get(entry["b"], model_label(entry["b"]))
    where = "" if entry["on"] == EVERY_SITE else ", on its own patients"
    return {"label": label, "small": _INPUTS[given] + where}


def _row(entry: Entry, place: Callable[[float], str]) -> dict[str, Any]:
    row: dict[str, Any] = {"text": "", "excludes_zero": False, **_words(entry)}
    if entry["difference"] is None:
        return row
    row |= {
        "at": place(entry["difference"]),
        "text": with_interval(entry["difference"], entry["interval"], True),
    }
    if entry["interval"]:
        low, high = entry["interval"]
        row |= {"low": place(low), "high": place(high), "excludes_zero": low > 0 or high < 0}
    return row
