"""`fedfundus-site exclude`, `include` and `purge`: what a patient may ask for, and a site that leaves.

They change what a round stands on: an exclusion waits for one that is under way, and says how long; a purge refuses.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from client.site.config import load_site
from client.site.opening import open_site
from shared_model.command_line import errors

Patient = Annotated[
    str | None,
    typer.Argument(help="The id in your own tables; left out, it is asked for.", show_default=False),
]
Wait = Annotated[
    float,
    typer.Option(min=0.0, max=10_080.0, help="How many minutes to wait for a round or a command to end."),
]
ConfigFile = Annotated[Path, typer.Option("--config", help="The site's configuration.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, and nothing else.")]
DEFAULT = Path("site.toml")


def register(app: typer.Typer) -> None:
    """Add the commands to `fedfundus-site`."""
    for command in (exclude, include, purge):
        app.command()(command)


def exclude(
    patient: Patient = None,
    config_file: ConfigFile = DEFAULT,
    as_json: Json = False,
    wait: Wait = 1.0,
) -> None:
    """Bar a patient from all later rounds, delete what is kept of them, and name the runs that used them.

    Exit code 0: done. 1: done, and nobody is known here under this id. 3: a round did not end; nothing was changed.
    """
    from client.rights.exclude import exclude as bar
    from client.site.prepare import readable_table

    config, state = open_site(config_file)
    identifier, table = _asked(patient), readable_table(config)
    exclusion = bar(state, identifier, table, wait=60 * wait, waiting=_waiting(wait))
    if as_json:
        print(json.dumps(asdict(exclusion), indent=1))
        raise typer.Exit(0 if exclusion.known else 1)
    if not exclusion.known:
        print("nobody is known here under this id: is it written as in your tables?")
    print(
        "excluded from all later rounds" if exclusion.new else "was excluded before; nothing is left to use"
    )
    for line in exclusion.removed:
        print(f"removed: {line}")
    for use in exclusion.runs:
        print(
            f"used by run {use.run} of federation {use.federation}, rounds {use.first_round} to {use.last_round}"
        )
    for notice in exclusion.notices:
        errors.print(f"notice: {notice}", markup=False)
    if not exclusion.known:
        raise typer.Exit(1)


def include(patient: Patient = None, config_file: ConfigFile = DEFAULT, wait: Wait = 1.0) -> None:
    """Take an exclusion back, where an id was mistyped or a patient agrees anew."""
    from client.rights.exclude import include as allow

    _, state = open_site(config_file)
    changed = allow(state, _asked(patient), wait=60 * wait, waiting=_waiting(wait))
    print("included again" if changed else "was not excluded: nothing changed")


def purge(
    config_file: ConfigFile = DEFAULT,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this the list is only shown.")] = False,
) -> None:
    """Remove everything the system keeps at this site, its key last. Your own data are not touched."""
    from client.rights.purge import listing
    from client.rights.purge import purge as remove

    config = load_site(config_file)
    held = listing(config.state, config.key)
    for kept in held:
        print(f"{kept.path}  {kept.bytes / 2**20:,.1f} MB  {kept.what}")
    if not held:
        print("nothing is kept")
        return
    if not yes:
        errors.print("nothing was removed; repeat with --yes to remove it, which cannot be undone")
        raise typer.Exit(1)
    purged = remove(config.state, config.key)
    print(f"removed {purged.removed} files")
    for left in purged.left:
        errors.print(f"left: {left}", markup=False)
    print("statistics this site has told are known to whoever was told: new ones can be compared with them")
    if purged.left:
        raise typer.Exit(1)


def _waiting(minutes: float) -> Callable[[str], None]:
    """Says for what a command waits, and how long."""

    def said(holder: str) -> None:
        errors.print(
            f"notice: waits up to {minutes:g} min for another command of this site to end ({holder})",
            markup=False,
        )

    return said


def _asked(patient: str | None) -> str:
    """The id given, or asked for without showing it: a command line stays in the shell's history."""
    found: str = patient or typer.prompt("patient id", hide_input=True)
    return found
