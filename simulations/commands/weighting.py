"""`fedfundus-simulate weighting`."""

from __future__ import annotations

from pathlib import Path

from shared_model.command_line import errors
from simulations.commands.options import (
    ConfigFile,
    Data,
    Json,
    Out,
    Preset,
    Rounds,
    Seed,
    Seeds,
    Set,
    experiment_config,
    show_study,
)


def weighting(
    data: Data,
    seeds: Seeds = 3,
    preset: Preset = "tiny",
    rounds: Rounds = None,
    seed: Seed = None,
    out: Out = Path("runs/weighting"),
    config_file: ConfigFile = None,
    overrides: Set = None,
    as_json: Json = False,
) -> None:
    """Compare softmax, floored softmax, uncertainty and fixed loss weights over seeds."""
    from shared_model.progress import RunProgress
    from simulations.weighting import Weighting, as_markdown

    config = experiment_config(
        preset=preset, file=config_file, overrides=overrides, seed=seed, federation__rounds=rounds
    )
    with RunProgress(errors) as progress:
        document = Weighting(config, data, out, seeds, progress).make()
    show_study("weighting", out, as_markdown(document), as_json=as_json)
