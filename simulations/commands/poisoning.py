"""`fedfundus-simulate poisoning`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shared_model.command_line import errors
from shared_model.errors import ConfigError
from simulations.commands.options import ConfigFile, Data, Json, Preset, Rounds, Seed, Set, show_study


def poisoning(
    data: Data,
    sites: Annotated[int, typer.Option(min=3, help="How many, one of them malicious.")] = 5,
    strategies: Annotated[
        str, typer.Option(help="Some of trimmed_mean, median, krum, multi_krum.")
    ] = "trimmed_mean",
    preset: Preset = "tiny",
    rounds: Rounds = 14,
    seed: Seed = None,
    out: Annotated[Path, typer.Option(help="Folder of the results; must not exist.")] = Path(
        "runs/poisoning"
    ),
    config_file: ConfigFile = None,
    overrides: Set = None,
    as_json: Json = False,
) -> None:
    """Let one site of several send poison, and show what each strategy keeps. Exit code 1: one keeps too little."""
    from shared_model.progress import RunProgress
    from simulations.experiments.poisoning import ROBUST
    from simulations.experiments.poisoning import poisoning as carry_out
    from simulations.experiments.poisoning_page import as_markdown

    robust = [name.strip() for name in strategies.split(",") if name.strip()]
    if not robust or set(robust) - set(ROBUST):
        raise ConfigError(
            "there is no such strategy", where="--strategies", fix=f"use some of {', '.join(ROBUST)}"
        )
    settings = {"federation__rounds": rounds, "federation__sites": sites, "seed": seed}
    with RunProgress(errors) as progress:
        document = carry_out(data, out, preset, config_file, overrides or (), settings, robust, progress)
    show_study("poisoning", out, as_markdown(document), as_json=as_json)
    raise typer.Exit(0 if document["holds"] else 1)
