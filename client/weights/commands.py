"""`fedfundus-site weights`: pretrained encoders for a hospital that reaches no hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from shared_model.command_line import errors
from shared_model.progress import RunProgress

app = typer.Typer(help="Pretrained encoders of a site that reaches no hub.", no_args_is_help=True)


@app.callback()
def weights() -> None:
    """Pretrained encoders of a site that reaches no hub."""


@app.command("import")
def import_(
    folder: Annotated[Path, typer.Argument(help="What fedfundus-coordinator weights wrote, on a medium.")],
    config_file: Annotated[Path, typer.Option("--config", help="The site's configuration.")] = Path(
        "site.toml"
    ),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document, and nothing else.")
    ] = False,
) -> None:
    """Check every file against the manifest the coordinator signed, and keep it where the worker finds it.

    Exit code 0: all there. 2: something is missing, altered or not taken; then nothing of that model was kept.
    """
    from client.approval.store import Approvals
    from client.site.opening import open_site
    from client.weights.cache import cache_folder
    from client.weights.importing import import_weights

    _, state = open_site(config_file)
    trusted = Approvals(state).trusted
    with RunProgress(errors) as progress, state.lock("weights import"):
        done = import_weights(
            folder,
            cache_folder(state),
            trusted,
            lambda name, copied, total: progress.update(name, copied, total, unit=""),
        )
    if as_json:
        models = [{"name": one.repository, "bytes": one.bytes, "known": one.known} for one in done]
        print(json.dumps({"models": models}, indent=1))
        return
    for one in done:
        print(
            f"{one.repository}: {one.bytes / 1e6:,.1f} MB, {'was there already' if one.known else 'imported'}"
        )
    print("restart the worker, so that it finds them")


def register(parent: typer.Typer) -> None:
    """Add the commands to `fedfundus-site`."""
    parent.add_typer(app, name="weights")
