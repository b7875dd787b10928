"""The cross-site matrix: a row a model, a column the site whose test patients it reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared_model.metrics.document import EVERY_SITE
from shared_model.metrics.summary import figure, model_label, ordered

Models = Mapping[str, Mapping[str, Any]]  # model -> site or "all" -> figures, as `models` of metrics.json


def cross_site_matrix(
    models: Models, sites: Sequence[str], given: str = "all", task: str = "icdr"
) -> dict[str, Any]:
    """Quadratic weighted kappa, with its interval, of every model on every site's test patients.

    given: the input (shared_model.metrics.INPUTS). Rows are in the order of every table: federated, pooled, each
    site alone, majority. None where the data cannot support a figure.
    """
    columns = [*sites, EVERY_SITE]
    rows = {
        name: {on: _kappa(models[name].get(on), task, given) for on in columns} for name in ordered(models)
    }
    return {"task": task, "input": given, "columns": columns, "rows": rows}


def matrix_table(matrix: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of texts; a site's own model is marked with *."""
    headings = ["model", *("all sites" if on == EVERY_SITE else on for on in matrix["columns"])]
    rows = [
        [model_label(name), *(_text(cell, own=name == f"local:{on}") for on, cell in row.items())]
        for name, row in matrix["rows"].items()
    ]
    return headings, rows


def _kappa(figures: Mapping[str, Any] | None, task: str, given: str) -> dict[str, Any]:
    of_task = (figures or {}).get(task) or {}
    found = figure((of_task.get("by_input") or {}).get(given))
    return {"kappa": found.value, "interval": list(found.interval) if found.interval else None}


def _text(cell: Mapping[str, Any], own: bool) -> str:
    if cell["kappa"] is None:
        return "not available"
    interval = cell["interval"]
    shown = f" [{interval[0]:.2f}, {interval[1]:.2f}]" if interval else ""
    return f"{cell['kappa']:.2f}{shown}{' *' if own else ''}"
