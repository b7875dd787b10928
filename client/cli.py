"""`fedfundus-site`: the site operator's door.

What it prints on standard output is for the operator; `describe` shows what would leave, and nothing else here
sends anything anywhere.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from client.audit.commands import register as register_audit
from client.deployed_cli import register
from client.privacy.commands import register as register_budget
from client.rights.commands import register as register_rights
from client.site.opening import open_site
from client.weights.commands import register as register_weights
from shared_model.command_line import errors
from shared_model.command_line import run as run_command
from shared_model.files import require_page, write_text
from shared_model.progress import RunProgress

app = typer.Typer(
    help="Join a federation with a hospital's own data, and see that no patient leaves.",
    no_args_is_help=True,
    add_completion=False,
)

ConfigFile = Annotated[Path, typer.Option("--config", help="The site's configuration.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, and nothing else.")]
DEFAULT = Path("site.toml")


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where to write site.toml.")] = Path("."),
    data: Annotated[
        Path | None, typer.Option(help="The data folder; by default the one site.toml is written to.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The site's name; by default the folder's.")] = None,
    adapter: Annotated[
        str | None, typer.Option(help="How the data are read; by default told from the folder.")
    ] = None,
) -> None:
    """Write a site.toml with every key explained."""
    from client.site.init import site_name, write_site

    file, chosen = write_site(folder, data or folder, name or folder.resolve().name, adapter)
    print(f"wrote {file} (adapter: {chosen})")
    if name is not None and (own := site_name(name)) != name:
        print(f"notice: the site is called {own}: a name is small letters, digits and hyphens")
    print("next: read it, correct what does not fit, then: fedfundus-site check --config " + str(file))


@app.command()
def check(
    config_file: ConfigFile = DEFAULT,
    as_json: Json = False,
    report: Annotated[
        Path | None, typer.Option(help="Also write one HTML page, without photographs or patient values.")
    ] = None,
    estimate: Annotated[
        bool, typer.Option(help="Time a few training steps to estimate a round on this machine.")
    ] = True,
) -> None:
    """Read everything once and say what is there, what is wrong, and whether this site can join.

    Exit code 0: ready. 1: usable with warnings. 2: cannot join, or site.toml is wrong. 3: the machine refused.
    """
    from client.check.check import run_check
    from client.check.document import document
    from client.check.screen import show

    config, state = open_site(config_file)
    if report is not None:
        require_page(report)
    with RunProgress(errors) as progress, state.lock("check"):
        result = run_check(
            config,
            state,
            progress=lambda what, done, total: progress.update(what, done, total, unit=""),
            estimate=estimate,
        )
    if as_json:
        print(json.dumps(document(result), indent=1, allow_nan=False))
    else:
        show(result, Console(highlight=False))
    if report is not None:
        from client.check.report import render  # matplotlib and torch, which nothing else here needs

        write_text(report, render(result))
    raise typer.Exit(result.exit_code)


@app.command()
def quarantine(
    config_file: ConfigFile = DEFAULT,
    warnings: Annotated[
        bool, typer.Option("--warnings", help="The rows that a finding is about instead.")
    ] = False,
) -> None:
    """Print the rows that the last check set aside, with their reasons: it names patients, keep it here."""
    from client.check.finding_rows import read_findings
    from client.site.contents import QUARANTINE

    _, state = open_site(config_file)
    if warnings:
        sys.stdout.write(read_findings(state) or "")
        return
    content = state.read(QUARANTINE)
    if content is None:
        errors.print("nothing is in quarantine: no check has set rows aside")
        return
    sys.stdout.write(content.decode("utf-8"))


@app.command()
def describe(
    config_file: ConfigFile = DEFAULT,
    federation: Annotated[str, typer.Option(help="A federation that was answered before.")] = "",
    as_json: Json = False,
) -> None:
    """Print exactly what this site would tell the coordinator, before it is ever sent."""
    from client.site.describe import describe_site

    config, state = open_site(config_file)
    with RunProgress(errors) as progress, state.lock("describe"):
        description = describe_site(config, state, progress, federation)
    if as_json:
        print(json.dumps(description.message, indent=1, allow_nan=False))
    else:
        print(description.text)


Model = Annotated[Path, typer.Option(help="The model/ folder of a finished run.")]
Folder = Annotated[
    Path | None, typer.Argument(help="The photographs, in any folders below it.", show_default=False)
]
SiteFile = Annotated[
    Path | None,
    typer.Option("--config", help="A site.toml, whose data are read with all that is known of them."),
]
Adapter = Annotated[str | None, typer.Option(help="Read FOLDER as a data folder, with its notes and values.")]
Processes = Annotated[int | None, typer.Option(min=1, max=256, help="By default one a core.")]


@app.command()
def grade(
    model: Model,
    folder: Folder = None,
    config_file: SiteFile = None,
    adapter: Adapter = None,
    out: Annotated[Path, typer.Option(help="The table of all cases; it names patients.")] = Path(
        "grades.csv"
    ),
    report: Annotated[Path | None, typer.Option(help="Also write one HTML page, with photographs.")] = None,
    clear_unproven: Annotated[
        bool,
        typer.Option("--clear-unproven", help="Clear even where nothing shows that it finds the sick here."),
    ] = False,
    as_json: Json = False,
    processes: Processes = None,
) -> None:
    """Grade a site's own photographs: refer, do not refer, or ask a person. Research use, not a medical device.

    Exit code 0: all graded. 1: some could not be read; a person is asked. 2: none could, or nothing can be graded.
    """
    from client.use.commands import Given, grade_photographs

    given = Given(model, folder, config_file, adapter, processes)
    with RunProgress(errors) as progress:
        done = grade_photographs(given, out, report, progress, clear_unproven=clear_unproven)
    if as_json:
        print(json.dumps(done.document, indent=1, allow_nan=False))
    else:
        done.show(Console(highlight=False))
    raise typer.Exit(done.exit_code)


@app.command()
def find(
    note: Annotated[str, typer.Argument(help="What to look for, in the words of a note.")],
    model: Model,
    folder: Folder = None,
    config_file: SiteFile = None,
    adapter: Adapter = None,
    top: Annotated[int, typer.Option(min=1, max=200, help="How many photographs to bring up.")] = 5,
    report: Annotated[Path | None, typer.Option(help="Also write one HTML page, with photographs.")] = None,
    names: Annotated[bool, typer.Option("--names", help="Name files and patients in the JSON too.")] = False,
    as_json: Json = False,
    processes: Processes = None,
) -> None:
    """Bring up the site's photographs that answer a description. Research use, not a medical device."""
    from client.use.commands import Given, find_photographs

    given = Given(model, folder, config_file, adapter, processes)
    with RunProgress(errors) as progress:
        done = find_photographs(given, note, top, report, progress, names=names)
    if as_json:
        print(json.dumps(done.document, indent=1, allow_nan=False))
    else:
        done.show(Console(highlight=False))


for add in (register_rights, register, register_budget, register_weights, register_audit):
    add(app)


def main() -> None:
    """Run a command; see shared_model.command_line."""
    run_command(
        app,
        interrupted="nothing is half written; what `check` has read is kept, and it goes on from there",
        memory="use fewer resources.processes in site.toml",
    )
