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
    require_private_everywhere,
    show_study,
)


def privacy_curve(
    data: Data,
    epsilons: Annotated[str, typer.Option(help="The budgets to train at.")] = "1,3,8",
    seeds: Seeds = 3,
    preset: Annotated[str, typer.Option(help="private-tiny or private.")] = "private-tiny",
    rounds: Rounds = None,
    seed: Seed = None,
    public_start: Annotated[
        bool,
        typer.Option(help="Begin with an image encoder that has learnt to count spots on painted pictures."),
    ] = True,
    out: Out = Path("runs/privacy-curve"),
    config_file: ConfigFile = None,
    overrides: Set = None,
    as_json: Json = False,
) -> None:
    """Compare kappa at several privacy budgets with the same model without privacy and the most frequent grade.

    The public start is made once, in OUT/work/public-start, for an encoder that is made to measure and frozen, unless
    model.image.weights names another.
    """
    from shared_model.private_training import require_private_run
    from shared_model.progress import RunProgress
    from simulations.output import resumable_folder
    from simulations.prepare import require_data
    from simulations.privacy_curve import PrivacyCurve, as_markdown, epsilons_of, private
    from simulations.public_start import with_public_start

    budgets = epsilons_of(epsilons)
    config = experiment_config(
        preset=preset,
        file=config_file,
        overrides=overrides,
        seed=seed,
        federation__rounds=rounds,
        privacy_elsewhere=True,
    )
    require_private_everywhere(config)
    require_private_run(private(config, budgets[0]))
    require_data(data)
    with RunProgress(errors) as progress:
        if public_start:
            config = with_public_start(config, resumable_folder(out) / "public-start", progress)
        document = PrivacyCurve(config, data, out, budgets, seeds, progress).make()
    show_study("privacy-curve", out, as_markdown(document), as_json=as_json, kinds=("md", "json", "png"))
