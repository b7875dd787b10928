"""What a person sees: a table of checks with problem and fix, and one of members with their dates."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.kits.findings import Verified
from deploy.listing import Listing
from deploy.pki.keys import spoken

_MARK = {"ok": "[green]ok[/]", "warning": "[yellow]soon[/]", "problem": "[bold red]problem[/]"}


def show_verified(result: Verified, console: Console) -> None:
    """Print what verify() found."""
    if result.name:
        console.print(f"kit of {result.name} in {result.federation}")
        console.print(f"authority {spoken(result.authority)}", soft_wrap=True)
    table = Table(box=box.SIMPLE, pad_edge=False)
    for column in ("", "check", "problem", "fix"):
        table.add_column(column, overflow="fold")
    for finding in result.findings:
        problem = f"{finding.where}: {finding.problem}" if finding.where else finding.problem
        table.add_row(_MARK[finding.level], *map(escape, (finding.check, problem, finding.fix)))
    console.print(table)
    verdicts = (
        "this kit is good",
        "this kit is good, with warnings",
        "do not use this kit before it is mended",
    )
    console.print(verdicts[result.exit_code])


def show_listing(result: Listing, console: Console) -> None:
    """Print who has what."""
    console.print(f"{result.federation}, authority until {result.authority_expires:%Y-%m-%d}")
    console.print(f"fingerprint {spoken(result.authority)}", soft_wrap=True)
    table = Table(box=box.SIMPLE, pad_edge=False)
    for column in ("member", "state", "certificate until", "days", "node key"):
        table.add_column(column, overflow="fold", justify="right" if column == "days" else "left")
    for row in result.rows:
        until = f"{row.expires:%Y-%m-%d}" if row.expires else ""
        days = "" if row.days is None else str(row.days)
        table.add_row(
            row.name, row.state, until, days, f"{spoken(row.node_key[:12])} ..." if row.node_key else ""
        )
    console.print(table)
