"""`fedfundus-site budget`: what this site has given of its patients' privacy, and what is left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to `fedfundus-site`."""
    app.command()(budget)


def budget(
    config_file: Annotated[Path, typer.Option("--config", help="The site's configuration.")] = Path(
        "site.toml"
    ),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document, and nothing else.")
    ] = False,
) -> None:
    """Say how much of the privacy limit is spent, by run and round, and what another round would take.

    Exit code 0: there is room, or no limit is set. 1: the site's limit leaves no step of another round. 2: the ledger
    is lost, or not as this site wrote it, and nothing may be charged.
    """
    from client.privacy.budget import budget as read
    from client.privacy.budget import is_spent, lines
    from client.site.opening import open_site

    document = read(*open_site(config_file))
    print(json.dumps(document, indent=1, allow_nan=False) if as_json else "\n".join(lines(document)))
    raise typer.Exit(int(is_spent(document)))
