"""`fedfundus-simulate exchange-study`."""

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

# What `paper` and `adapters` do with their encoders, in the two blocks of `tiny`.
_FROZEN = ("model.image.frozen_blocks=1", "model.text.freeze_embeddings=true")


def exchange_study(
    data: Data,
    seeds: Seeds = 3,
    preset: Preset = "tiny",
    rounds: Rounds = None,
    seed: Seed = None,
    out: Out = Path("runs/exchange-study"),
    config_file: ConfigFile = None,
    overrides: Set = None,
    as_json: Json = False,
) -> None:
    """Compare kappa and bytes of packed updates, and of adapters, with the last blocks trained and sent in fp32.

    The image encoder begins as one that has learnt to count painted spots (OUT/work/public-start), its first block
    frozen, unless model.image.weights names another.
    """
    from shared_model.progress import RunProgress
    from simulations.exchange_study import ExchangeStudy, as_markdown

    fixed = _FROZEN if preset == "tiny" else ()
    config = experiment_config(
        preset=preset,
        file=config_file,
        overrides=[*fixed, *(overrides or ())],
        seed=seed,
        federation__rounds=rounds,
    )
    with RunProgress(errors) as progress:
        document = ExchangeStudy(config, data, out, seeds, progress).make()
    show_study("exchange-study", out, as_markdown(document), as_json=as_json)
