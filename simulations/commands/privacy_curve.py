"""`fedfundus-simulate privacy-curve`."""

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
    Rounds,
    Seed,
    Seeds,
    Set,
    experiment_config,
    show_study,
)


def privacy_curve(
    data: Data,
    epsilons: Annotated[str, typer.Option(help="The budgets to train at.")] = "1,3,8",
    seeds: Seeds = 3,
    preset: Annotated[str, typer.Option(help="private-tiny or private.")] = "private-tiny",
    rounds: Rounds = None,
    seed: Seed = None,
    out: Out = Path("runs/privacy-curve"),
    config_file: ConfigFile = None,
    overrides: Set = None,
    as_json: Json = False,
) -> None:
    """Compare kappa at several privacy budgets with the same model without privacy and the most frequent grade."""
    from shared_model.progress import RunProgress
    from simulations.privacy_curve import PrivacyCurve, as_markdown, epsilons_of

    budgets = epsilons_of(epsilons)
    config = experiment_config(
        preset=preset, file=config_file, overrides=overrides, seed=seed, federation__rounds=rounds
    )
    with RunProgress(errors) as progress:
        document = PrivacyCurve(config, data, out, budgets, seeds, progress).make()
    show_study("privacy-curve", out, as_markdown(document), as_json=as_json, kinds=("md", "json", "png"))
