"""`fedfundus-simulate transfer`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shared_model.command_line import errors
from simulations.commands.options import (
    ConfigFile,
    Data,
    Json,
    Out,
    Preset,
    Rounds,
    Second,
    Seed,
    Set,
    experiment_config,
    show_study,
)


def transfer(
    data: Data,
    leave_out: Annotated[str, typer.Option(help="A centre by name, or each in turn.")] = "each",
    second: Second = None,
    preset: Preset = "tiny",
    rounds: Rounds = None,
    seed: Seed = None,
    out: Out = Path("runs/transfer"),
    config_file: ConfigFile = None,
    overrides: Set = None,
    as_json: Json = False,
) -> None:
    """Leave a hospital out and test on it; each site's model at each site; other data."""
    from shared_model.progress import RunProgress
    from simulations.transfer.transfer import Transfer, as_markdown

    config = experiment_config(
        preset=preset, file=config_file, overrides=overrides, seed=seed, federation__rounds=rounds
    )
    with RunProgress(errors) as progress:
        document = Transfer(config, data, out, leave_out, progress, second).make()
    show_study("transfer", out, as_markdown(document), as_json=as_json)
