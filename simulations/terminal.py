"""The tables of a run in the terminal: the models compared, and what each modality is worth at each site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from shared_model.evaluation.pooled_table import pooled_table
from shared_model.metrics.document import EVERY_SITE, KAPPA, LOCAL
from shared_model.metrics.modalities import ROWS
from shared_model.metrics.summary import COLUMNS, NOT_AVAILABLE, summary_table
from simulations.transfer.matrix import cross_site_matrix, matrix_table

HEADINGS = {
    "icdr_kappa": "all inputs",
    "icdr_image": "image only",
    "icdr_note": "note only",
    "icdr_structured": "structured only",
    "sdrg_kappa": "SDRG, all inputs",
    "recall_at_1": "R@1",
    "recall_at_10": "R@10",
}
SHORT = {NOT_AVAILABLE: "-"}
WORTH_HEADINGS = {
    "image": "image only",
    "image_note": "image + note",
    "image_structured": "image + structured",
    "all": "all that is held",
}


def print_summary(document: Mapping[str, Any]) -> None:
    """One row a model, the differences, then one row a site; intervals are 95 % by bootstrap over patients."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=120)
    console.print(_models(document))
    for found in document.get("comparisons", []):
        if found["task"] == "icdr" and found["on"] == "all" and found["difference"] is not None:
            console.print(
                f"ICDR kappa, {found['a']} ({found['input']}) - {found['b']} ({found['input_b']}): "
                f"{_signed(found['difference'], found['interval'])}",
                markup=False,
            )
    console.print(pooled_table(document["pooled"]))
    if document.get("modalities"):
        console.print(_modalities(document["modalities"]))
    if any(name.startswith(LOCAL) for name in document["models"]):
        console.print(_matrix(document))


def _models(document: Mapping[str, Any]) -> Table:
    table = Table(
        title="ICDR kappa and retrieval on every site's test patients, last-round weights",
        title_justify="left",
    )
    table.add_column("model", no_wrap=True)
    for heading in HEADINGS.values():
        table.add_column(heading, justify="right", no_wrap=True)
    for row in summary_table(document):
        cells = dict(zip(COLUMNS, row.cells()[1:], strict=True))
        # Intervals stand below their figure, so that the table fits a terminal of 100 columns.
        table.add_row(
            row.label, *(SHORT.get(cells[name], cells[name]).replace(" [", "\n[") for name in HEADINGS)
        )
    return table


def _matrix(document: Mapping[str, Any]) -> Table:
    table = Table(
        title="ICDR kappa of each model on each site's test patients, all inputs (* the site's own model)",
        title_justify="left",
    )
    headings, rows = matrix_table(cross_site_matrix(document["models"], document["run"]["sites"]))
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(cell.replace(" [", "\n[") for cell in row))
    return table


def _modalities(entries: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(
        title="ICDR kappa of the federated model by what it is given, and gain over the same photographs alone",
        title_justify="left",
    )
    table.add_column("tested on", no_wrap=True)
    for given in ROWS:
        table.add_column(WORTH_HEADINGS[given], justify="right", no_wrap=True)
    rows: dict[str, list[str]] = {}
    for entry in entries:
        if entry["task"] == "icdr":
            rows.setdefault(entry["on"], []).append(_worth(entry))
    for on, cells in rows.items():
        table.add_row("all sites" if on == EVERY_SITE else on, *cells)
    return table


def _worth(entry: Mapping[str, Any]) -> str:
    """Kappa and the number of photographs, its interval, and the gain: a line each, as terminals are narrow."""
    if not entry["held"]:
        return "not held"
    if entry[KAPPA] is None:
        return SHORT[NOT_AVAILABLE]
    interval = entry["interval"]
    lines = [f"{entry[KAPPA]:.2f} (n {entry['n']})"]
    lines += [f"[{interval[0]:.2f}, {interval[1]:.2f}]"] if interval else []
    if entry["difference"] is not None:
        lines.append(_signed(entry["difference"], entry["difference_interval"], 2))
    return "\n".join(lines)


def _signed(difference: float, interval: Sequence[float] | None, digits: int = 3) -> str:
    shown = f"[{interval[0]:+.{digits}f}, {interval[1]:+.{digits}f}]" if interval else "no interval"
    return f"{difference:+.{digits}f} {shown}"
