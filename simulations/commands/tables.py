"""`fedfundus-simulate tables`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shared_model.command_line import errors
from simulations.commands.options import (
    ConfigFile,
    Data,
    Json,
    Modes,
    Out,
    Preset,
    Rounds,
    Second,
    Seed,
    Seeds,
    Set,
    experiment_config,
    show_study,
)


def tables(
    data: Data,
    which: Annotated[str, typer.Option(help="Tables by number, 1 to 6, or all.")] = "all",
    preset: Preset = "tiny",
    seeds: Seeds = 3,
    modes: Modes = "federated,pooled",
    second: Second = None,
    rounds: Rounds = None,
    seed: Seed = None,
    out: Out = Path("runs/tables"),
    config_file: ConfigFile = None,
    overrides: Set = None,
    as_json: Json = False,
) -> None:
    """The paper's Tables I to VI: its rows and figures beside ours, with the columns that it lacks."""
    from shared_model.config.variants import variants
    from shared_model.progress import RunProgress
    from simulations.experiments import modes_of
    from simulations.tables.contents import numbers_of
    from simulations.tables.make import Tables
    from simulations.tables.write import markdown

    numbers, asked = numbers_of(which), modes_of(modes)
    configs = {
        name: experiment_config(
            name, preset=preset, file=config_file, overrides=overrides, seed=seed, federation__rounds=rounds
        )
        for name in ("full", *(name for name in variants() if name != "full"))
    }
    with RunProgress(errors) as progress:
        made = Tables(numbers, configs, asked, seeds, data, out, progress, second).make()
    show_study("tables", out, markdown(made), as_json=as_json, kinds=("md", "json", "html"))
