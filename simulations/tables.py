"""The comparison table of a run, in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from shared_model.metrics.summary import COLUMNS, NOT_AVAILABLE, summary_table

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


def print_summary(document: Mapping[str, Any]) -> None:
    """One row a model; intervals are 95 % by bootstrap over patients."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=120)
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
    console.print(table)
    for found in document.get("comparisons", []):
        if found["task"] == "icdr" and found["on"] == "all" and found["difference"] is not None:
            low, high = found["interval"] or (None, None)
            shown = f"[{low:+.3f}, {high:+.3f}]" if low is not None else "no interval"
            console.print(
                f"ICDR kappa, {found['a']} ({found['input']}) - {found['b']} ({found['input_b']}): "
                f"{found['difference']:+.3f} {shown}",
                markup=False,
            )
