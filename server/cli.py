"""`fedfundus-coordinator`: the door of whoever runs a federation.

Exit codes: 0 the run finished and every round had its quorum, or the command did what it says; 2 a mistake in what
was given; 3 the run failed or was interrupted; 4 it was stopped on request. Works on the coordinator's machine only.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from server.named import connection, existing, latest
from server.services.commands import register as register_services
from server.weights_command import weights
from shared_model.command_line import errors
from shared_model.command_line import run as run_command

if TYPE_CHECKING:
    from server.store.runs import RunStore
    from server.submitting import SuperLink

app = typer.Typer(
    help="Launch, watch, resume and account for the runs of a federation.",
    no_args_is_help=True,
    add_completion=False,
)

STORE = Path("runs")
StoreFolder = Annotated[Path, typer.Option("--store", help="Where runs and their record lie.")]
KitFolder = Annotated[Path | None, typer.Option("--kit", help="The coordinator's kit.")]
Address = Annotated[
    str | None,
    typer.Option("--superlink", help="host:port of a SuperLink without TLS, for trying out without a kit."),
]
Run = Annotated[str, typer.Argument(help="The run's name.")]
Site = Annotated[str, typer.Argument(help="The site's name.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, and nothing else.")]
Detach = Annotated[bool, typer.Option("--detach", help="Return once the run is handed over.")]


@app.command()
def launch(
    config_file: Annotated[Path, typer.Argument(metavar="CONFIG", help="The run's configuration, TOML.")],
    kit: KitFolder = None,
    superlink: Address = None,
    store: StoreFolder = STORE,
    name: Annotated[str | None, typer.Option(help="The run's name; by default made of the time.")] = None,
    preset: Annotated[
        str | None, typer.Option(help="What CONFIG changes; by default what it names itself, else paper.")
    ] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="section.key=value")] = None,
    canary: Annotated[
        bool, typer.Option(help="One round that keeps nothing, which every site must end.")
    ] = False,
    detach: Detach = False,
    as_json: Json = False,
) -> None:
    """Start a run over the sites that are connected, and follow it to its end."""
    from server.executing import canary as one_round
    from server.executing import deployed
    from server.launching import launch_run
    from server.store.runs import RunStore
    from shared_model.config import load_config

    opened, link = connection(kit, superlink)
    config = deployed(load_config(preset, file=config_file, overrides=overrides or ()))
    runs = RunStore(store.resolve())
    run = launch_run(runs, one_round(config) if canary else config, name=name, kit=opened, canary=canary)
    _hand_over(runs, run, link, detach=detach, as_json=as_json)


@app.command()
def resume(
    run: Run,
    kit: KitFolder = None,
    superlink: Address = None,
    store: StoreFolder = STORE,
    detach: Detach = False,
    as_json: Json = False,
) -> None:
    """Go on after a run's last complete round, whatever ended it."""
    from server.launching import require_resumable

    runs, (_, link) = existing(store), connection(kit, superlink)
    require_resumable(runs, run)
    _hand_over(runs, run, link, detach=detach, as_json=as_json)


@app.command()
def status(
    run: Annotated[str | None, typer.Argument()] = None, store: StoreFolder = STORE, as_json: Json = False
) -> None:
    """Show one run, by default the latest: rounds, sites, what was not used and why. Exit code: that of the run."""
    from server.errors import CoordinatorError
    from server.following import exit_code
    from server.screen import show_run
    from server.services.standing import lines, standing
    from server.store.report import run_document

    try:
        runs = existing(store)
        row = runs.row(run or latest(runs))
    except CoordinatorError:
        if run is None and not as_json:  # before the first run, too, the processes stand somehow
            for line in lines(standing(store.resolve())):
                print(line)
        raise
    document = run_document(runs, row) | standing(runs.folder)
    if as_json:
        _print_json(document)
    else:
        show_run(document)
        for line in lines(document):
            print(line)
    raise typer.Exit(exit_code(row))


@app.command()
def runs(store: StoreFolder = STORE, as_json: Json = False) -> None:
    """List every run, oldest first."""
    from dataclasses import asdict

    from server.screen import show_runs

    rows = [asdict(row) for row in existing(store).rows()]
    if as_json:
        _print_json({"runs": rows})
    else:
        show_runs(rows)


@app.command()
def figures(run: Run, store: StoreFolder = STORE, as_json: Json = False) -> None:
    """Show how good a finished run's model is on all sites' test patients, as the sites told it in counts."""
    from server.evaluation.asking import require_judged
    from server.screen import show_figures

    runs = existing(store)
    document = require_judged(runs.open(runs.row(run).run))
    if as_json:
        _print_json({"run": run, **document})
    else:
        show_figures(document)


@app.command()
def stop(run: Run, store: StoreFolder = STORE) -> None:
    """Ask a run to end before its next round, or while it waits for sites; resume goes on from there."""
    from server.launching import require_running

    runs = existing(store)
    require_running(runs, run)
    runs.ask_to_stop(run)
    print(f"{run} will stop before its next round; fedfundus-coordinator status {run} shows when it has")


@app.command()
def export(
    run: Run,
    out: Annotated[Path, typer.Option("--out", help="The model folder; must not exist.")],
    weights: Annotated[str, typer.Option(help="last, or best on the sites' validation records.")] = "last",
    kit: KitFolder = None,
    store: StoreFolder = STORE,
    as_json: Json = False,
) -> None:
    """Write a finished run's model folder, with its statement, signed where a kit is given."""
    from server.exporting import export_model
    from server.kit import read_kit
    from shared_model.errors import ConfigError

    if weights not in ("last", "best"):
        raise ConfigError(f"there are no weights {weights!r:.20}", where="--weights", fix="use last or best")
    opened = read_kit(kit) if kit else None
    digest = export_model(existing(store), run, out.resolve(), weights=weights, kit=opened)
    if as_json:
        _print_json({"run": run, "folder": str(out), "sha256": digest, "signed": opened is not None})
        return
    print(f"wrote {out}: weights {digest}")
    if opened is None:
        errors.print("notice: it is not signed; give --kit to sign it", markup=False)


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="An exported model folder.")],
    certificate: Annotated[Path, typer.Option(help="The coordinator's certificate, PEM, from a kit.")],
) -> None:
    """See that an exported model is as the coordinator signed it. Anybody with its certificate can."""
    from server.exporting import verify_export
    from shared_model.errors import ConfigError

    if not certificate.is_file():
        raise ConfigError("there is no certificate", where=str(certificate), fix="give the coordinator's")
    verify_export(folder, certificate.read_bytes())
    print(f"{folder} is as it was signed")


@app.command()
def withdraw(
    site: Site,
    bar: Annotated[bool, typer.Option("--bar", help="Also never ask the site again, in any run.")] = False,
    store: StoreFolder = STORE,
    as_json: Json = False,
) -> None:
    """Name every model that a site's data is in: runs, rounds, registered photographs, exported weights."""
    from server.screen import show_taken_part
    from server.store import people
    from server.store.report import taken_part

    runs = existing(store)
    people.require_known(runs, site)
    if bar:
        people.bar(runs, site)
    found = taken_part(runs, site)
    if as_json:
        _print_json({"site": site, "barred": bar, "runs": found})
    else:
        show_taken_part(site, found)


@app.command()
def readmit(site: Site, store: StoreFolder = STORE) -> None:
    """Let a suspended site take part again."""
    from server.store import people

    people.readmit(existing(store), site)
    print(f"{site} takes part again from the next round on")


@app.command()
def log(
    run: Annotated[str, typer.Argument(help="A run's name; all of them where it is left out.")] = "",
    store: StoreFolder = STORE,
) -> None:
    """Print the audit log, one JSON object a line, having checked its chain."""
    from server.store import audit

    database = existing(store).database
    audit.head(database)
    for line in audit.lines(database, run):
        print(json.dumps(line))


def _hand_over(runs: RunStore, run: str, link: SuperLink, *, detach: bool, as_json: bool) -> None:
    from server.following import exit_code, follow
    from server.launching import hand_over
    from server.screen import show_run
    from server.store.report import run_document
    from shared_model.progress import RunProgress

    was = hand_over(runs, run, link)
    if detach:
        if as_json:
            _print_json({"run": run, "state": "submitted"})
        else:
            print(f"started {run}; fedfundus-coordinator status {run} shows how far it is")
        return
    total = runs.row(run).rounds
    with RunProgress(errors) as progress:
        row = follow(runs, run, lambda number, loss: progress.update(run, number, total, loss=loss), was=was)
    document = run_document(runs, row)
    if as_json:
        _print_json(document)
    else:
        show_run(document)
    raise typer.Exit(exit_code(row))


def _print_json(document: Any) -> None:
    print(json.dumps(document, indent=1, allow_nan=False))


register_services(app)
app.command()(weights)


def main() -> None:
    """Run a command; see shared_model.command_line."""
    run_command(
        app,
        interrupted="a run that was handed over goes on; fedfundus-coordinator status shows it",
        memory="close other programs and run again",
    )
