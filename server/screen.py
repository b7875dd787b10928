"""What a person sees of runs: one run in full, a list, and the models that a site is in."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

_COLOURS = {
    "finished": "green",
    "running": "cyan",
    "created": "cyan",
    "submitted": "cyan",
    "stopped": "yellow",
}


def show_run(document: Mapping[str, Any]) -> None:
    """Print what run_document says."""
    console = _console()
    state = document["state"]
    what = "canary" if document["canary"] else "run"
    console.print(
        f"{what} {document['run']}: [bold {_COLOURS.get(state, 'red')}]{state}[/], "
        f"{document['complete']} of {document['rounds']} rounds"
    )
    if document["reason"]:
        console.print(escape(f"{document['code']} {document['reason']}".strip()))
    console.print(_sites(document))
    for site in document["sites"]:
        if site["privacy"]:
            console.print(escape(f"{site['site']}: {site['privacy']}"))
    for line in document["not_used"][-5:]:
        console.print(escape(f"round {line['round']}, {line['site']}, {line['kind']}: {line['reason']}"))
    if (exchanged := document["exchanged"]) and exchanged["bytes_up"]:
        console.print(_exchanged(exchanged))
    if moved := document["moved_bytes"]:
        console.print(f"models and updates through the front since the launch: {moved / 1e6:.1f} MB")
    if waiting := document["waits_for"]:
        console.print(f"waits for sites: {waiting['connected']} connected, {waiting['quorum']} needed")
        for site, why in waiting["refused"].items():
            console.print(escape(f"  {site}: {why}"))
    for line in document["suspended"]:
        console.print(escape(f"suspended since {line['at'][:10]}: {line['site']}: {line['reason']}"))
    validation = document["validation"]
    if validation and validation["loss"] is not None:
        kappa = validation["icdr"]["quadratic_weighted_kappa"]
        shown = f", ICDR kappa {kappa:.3f}" if kappa is not None else ""
        console.print(f"validation loss {validation['loss']:.4f}{shown}")
    console.print(f"audit log {document['audit_head'][:16]}")


def show_runs(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print one line a run."""
    table = _table("run", "state", "rounds", "launched", "why")
    for row in rows:
        why = f"{row['code']} {row['reason']}".strip()
        rounds = f"{row['complete']}/{row['rounds']}"
        table.add_row(row["run"], row["state"], rounds, row["created"][:16], escape(why))
    _console().print(table)


def show_figures(document: Mapping[str, Any]) -> None:
    """Print the table that a simulation prints too, and who is not in it."""
    from shared_model.evaluation.pooled_table import (
        left_out_lines,
        pooled_table,
    )

    console = _console()
    console.print(pooled_table(document["pooled"]))
    for line in left_out_lines(document["pooled"]):
        console.print(escape(line))
    for question, sites in document["left_out"].items():
        for site, why in sites.items():
            console.print(escape(f"{site} did not answer {question}: {why}"))
    for site, label in document.get("privacy", {}).items():
        console.print(escape(f"{site}: {label}"))
    fitted = document["calibration"]["temperature"]
    shown = ", ".join(f"{task.upper()} {value:.2f}" for task, value in fitted.items())
    console.print(f"temperature: {shown or 'none fitted'}")


def show_taken_part(site: str, found: Sequence[Mapping[str, Any]]) -> None:
    """Print the models that a site is in."""
    if not found:
        print(f"no model holds anything of {site}")
        return
    table = _table("run", "state", "rounds", "photographs", "exported weights")
    for row in found:
        given = ", ".join(model["sha256"][:16] for model in row["exports"]) or "none"
        rounds = f"{row['rounds']} ({row['first']} to {row['last']})"
        kept = "canary, nothing kept" if row["canary"] else row["state"]
        table.add_row(row["run"], kept, rounds, str(row["examples"]), given)
    _console().print(table)


def _sites(document: Mapping[str, Any]) -> Table:
    """Who took part, and whose updates were not used, those of sites that never took part included."""
    table = _table("site", "rounds", "last", "photographs", "not used")
    spoilt = Counter(line["site"] for line in document["not_used"])
    for site in document["sites"]:
        table.add_row(
            *(escape(str(site[key])) for key in ("site", "rounds", "last", "examples")),
            str(spoilt.pop(site["site"], 0)),
        )
    for name, count in sorted(spoilt.items()):
        table.add_row(escape(name), "0", "", "", str(count))
    return table


def _exchanged(row: Mapping[str, Any]) -> str:
    """What one round's messages took, and what the front carried meanwhile where it told."""
    said = f"round {row['round']}: {row['bytes_up'] / 1e6:.1f} MB up, {row['bytes_down'] / 1e6:.1f} MB down"
    if row["wire_up"] is None:
        return said
    return f"{said}; through the front {row['wire_up'] / 1e6:.1f} up, {row['wire_down'] / 1e6:.1f} down"


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _console() -> Console:
    """Standard output; a file gets lines that are wide enough to search."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 160)
