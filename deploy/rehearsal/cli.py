"""The rehearsal as a command: progress on the way, a table at the end, and an exit code that tells the truth.

0: every step held. 1: one did not; which, and why, is printed. 130: broken off; everything was stopped.
"""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.rehearsal.comparison import compare, simulate
from deploy.rehearsal.files import Plan
from deploy.rehearsal.rehearsal import Rehearsal
from shared_model.command_line import INTERRUPTED
from shared_model.errors import FedFundusError, RunError

RUN = "rehearsal"
console = Console(highlight=False, soft_wrap=True)
app = typer.Typer(add_completion=False)


@dataclass
class Steps:
    """What was done, how long it took and what came of it."""

    rows: list[tuple[str, float, str]] = field(default_factory=list)
    failed: str = ""

    def done(self, what: str, began: float, came: str) -> None:
        """Write a step down and say it."""
        seconds = time.monotonic() - began
        self.rows.append((what, seconds, came))
        console.print(f"{seconds:7.1f} s  {what}: {came}", markup=False)

    def show(self) -> None:
        """The table."""
        table = Table(box=box.SIMPLE, pad_edge=False, title="federation rehearsal", title_justify="left")
        for column in ("step", "seconds", "what came of it"):
            table.add_column(column, justify="right" if column == "seconds" else "left", overflow="fold")
        for what, seconds, came in self.rows:
            table.add_row(what, f"{seconds:.1f}", escape(came))
        if self.failed:
            table.add_row("[bold red]failed[/]", "", escape(self.failed))
        console.print(table)


@app.command()
def rehearse(
    folder: Annotated[Path | None, typer.Option(help="Where to work, by default a temporary folder.")] = None,
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    patients: Annotated[int, typer.Option(min=20, help="Of each site.")] = 60,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    network: Annotated[str, typer.Option(help="auto, namespaces or loopback.")] = "auto",
    seconds: Annotated[float, typer.Option(min=60, help="After which it is given up.")] = 1800.0,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the folder: logs, kits, model.")] = False,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="section.key=value of the run")] = None,
) -> None:
    """Provision a coordinator and three sites on this machine, train, export, compare with a simulation, stop."""
    if network not in ("auto", "namespaces", "loopback"):
        raise typer.BadParameter("use auto, namespaces or loopback", param_hint="--network")
    place = folder or Path(tempfile.mkdtemp(prefix="fedfundus-"))
    if place.exists() and any(place.iterdir()):
        raise typer.BadParameter("the folder must be absent or empty", param_hint="--folder")
    plan = Plan(rounds=rounds, patients=patients, seed=seed, overrides=tuple(overrides or ()))
    steps, rehearsal, code = Steps(), None, 1
    try:
        rehearsal = Rehearsal(place, plan, network=network, seconds=seconds)
        carry_out(rehearsal, steps)
        code = 0
    except FedFundusError as error:
        steps.failed = str(error)
    except KeyboardInterrupt:
        steps.failed, code = "broken off", INTERRUPTED
    finally:
        left = _closed(rehearsal, steps)
        steps.show()
        if keep or (code and code != INTERRUPTED):
            console.print(f"logs, and every command with its answer: {place}", markup=False)
        else:
            shutil.rmtree(place, ignore_errors=True)
    raise typer.Exit(code or (1 if left else 0))


def carry_out(rehearsal: Rehearsal, steps: Steps) -> None:
    """Every step, each said as it is done. Raises FedFundusError at the first that does not hold."""
    console.print(f"network: {rehearsal.network.described}", markup=False)
    began = time.monotonic()
    rehearsal.provision()
    steps.done("provision", began, "authority, coordinator's kit and a kit each site, verified and installed")
    began = time.monotonic()
    rehearsal.draw_data()
    steps.done(
        "data",
        began,
        f"{rehearsal.plan.patients} drawn patients at each of {', '.join(rehearsal.plan.sites)}",
    )
    began = time.monotonic()
    rehearsal.start()
    steps.done("start", began, "SuperLink, front; worker, proxy and gateway at every site")
    began = time.monotonic()
    rehearsal.approve_federation()
    rehearsal.launch(RUN)
    rehearsal.approve_plan(RUN)
    steps.done(
        "approve", began, f"authority, package and plan {rehearsal.run_status(RUN)['plan_sha256'][:16]}"
    )
    _train(rehearsal, steps)
    began = time.monotonic()
    model = rehearsal.export(RUN)
    steps.done("export", began, "signed by the coordinator, and verified")
    began = time.monotonic()
    _compared(rehearsal, model, steps, began)


def _train(rehearsal: Rehearsal, steps: Steps) -> None:
    began, told = time.monotonic(), 0

    def heard(status: dict[str, Any]) -> None:
        nonlocal told
        if status["complete"] > told:
            told = status["complete"]
            console.print(
                f"{time.monotonic() - began:7.1f} s  round {told} of {status['rounds']}", markup=False
            )

    status = rehearsal.wait_for_end(RUN, heard)
    took_part = {site["site"]: site["rounds"] for site in status["sites"]}
    if status["state"] != "finished" or took_part != dict.fromkeys(
        rehearsal.plan.sites, rehearsal.plan.rounds
    ):
        raise RunError(
            f"the run is {status['state']} after {status['complete']} rounds: {status['code']} {status['reason']}",
            where=", ".join(f"{site} {rounds} rounds" for site, rounds in took_part.items()) or "no site",
            fix="read the log of coordinator/store/services/superlink.log and of each site's processes",
        )
    steps.done("train", began, f"{status['complete']} rounds, every site in each")


def _compared(rehearsal: Rehearsal, model: Path, steps: Steps, began: float) -> None:
    found = compare(model, simulate(rehearsal))
    alike = "identical, bit for bit" if found.identical else f"largest difference {found.difference:.3g}"
    steps.done(
        "compare",
        began,
        f"with the inline simulation: {found.tensors} tensors, {found.numbers:,} numbers, {alike}",
    )
    if not found.holds:
        raise RunError(f"the weights are not the simulation's: they differ by up to {found.difference:.3g}")


def _closed(rehearsal: Rehearsal | None, steps: Steps) -> list[str]:
    if rehearsal is None:
        return []
    began = time.monotonic()
    left = rehearsal.close()
    if left:
        steps.failed = steps.failed or f"left behind, and killed: {'; '.join(left)}"
    steps.done(
        "stop", began, "everything, by its process id" if not left else f"{len(left)} had to be killed"
    )
    return left


def main() -> None:
    """Run it; a service manager's stop is taken for Ctrl-C."""
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell started it with Ctrl-C ignored
        signal.signal(number, signal.default_int_handler)
    try:
        sys.exit(app(standalone_mode=False) or 0)
    except typer.BadParameter as error:
        console.print(f"error: {error.format_message()}", markup=False)
        sys.exit(2)
