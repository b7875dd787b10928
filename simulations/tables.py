"""The comparison table of a run, in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from shared_model.metrics.summary import COLUMNS, summary_table


def print_summary(document: Mapping[str, Any]) -> None:
    """One row a model; intervals are 95 % by bootstrap over patients."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=200)
    table = Table(title="Test patients of every site, last-round weights", title_justify="left")
    table.add_column("model")
    for column in COLUMNS.values():
        table.add_column(column, justify="right")
    for row in summary_table(document):
        table.add_row(*row.cells())
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
