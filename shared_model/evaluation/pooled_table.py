"""The pooled figures as a table in the terminal: of a simulation, and of a federation from its coordinator.

Both print through here, so that what a researcher reads and what a coordinator reads are the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from shared_model.evaluation.site_figures import INPUTS
from shared_model.metrics.referable import NAMES
from shared_model.records import TASKS

_GIVEN = {"all": "all inputs", "image": "image only"}
_FIGURES = {"quadratic_weighted_kappa": "kappa", "accuracy": "accuracy"}
_REFERABLE = dict(zip(NAMES, ("AUROC", "AUPRC", "sensitivity\nat 90 %", "sensitivity\nat 95 %"), strict=True))
TITLE = (
    "All sites' test patients together, from counts alone. AUROC, AUPRC and sensitivity at 90 and 95 % specificity "
    "are of referable disease; where cells are merged or bins leave a figure open its bounds stand below it"
)


def pooled_table(pooled: Mapping[str, Any]) -> Table:
    """One row a task and input that some site tells of. pooled: as server.evaluation.pool_figures makes it."""
    table = Table(title=TITLE, title_justify="left")
    for heading in ("task", "given", "photographs", "sites"):
        table.add_column(heading, justify="right" if heading in ("photographs", "sites") else "left")
    for heading in (*_FIGURES.values(), *_REFERABLE.values()):
        table.add_column(heading, justify="right")
    for task in TASKS:
        for given in INPUTS:
            figures = pooled[task][given]
            if figures["sites"]:
                table.add_row(task.upper(), _GIVEN[given], *_cells(figures))
    return table


def left_out_lines(pooled: Mapping[str, Any]) -> list[str]:
    """A sentence for every site and task that the table says nothing of."""
    return [
        f"{site} tells nothing of {task.upper()}: {why}"
        for site, tasks in pooled["sites"].items()
        for task, why in tasks.items()
        if why is not None
    ]


def _cells(figures: Mapping[str, Any]) -> list[str]:
    referable = figures["referable"]
    return [
        str(figures["n"]),
        str(figures["sites"]),
        *(_figure(figures, name, exact=bool(figures["exact"])) for name in _FIGURES),
        *(_figure(referable, name, exact=False) for name in _REFERABLE),
    ]


def _figure(figures: Mapping[str, Any], name: str, *, exact: bool) -> str:
    """Three digits; bounds below it where they differ in these digits."""
    value, bounds = figures[name], figures["bounds"][name]
    shown = "-" if value is None else f"{value:.3f}"
    if bounds is None or exact:
        return shown
    low, high = (f"{bound:.3f}" for bound in bounds)
    return shown if low == high == shown else f"{shown}\n{low} to {high}"
