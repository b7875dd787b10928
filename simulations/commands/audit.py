"""`fedfundus-simulate audit`."""

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


def audit(
    data: Data,
    attacks: Annotated[str, typer.Option(help="Some of membership, canaries, inversion.")] = (
        "membership,canaries,inversion"
    ),
    preset: Annotated[str, typer.Option(help="What is attacked: tiny, paper or another.")] = "tiny",
    epsilons: Annotated[str, typer.Option(help="Budgets at which private training is attacked.")] = "1,8",
    seeds: Seeds = 1,
    rounds: Rounds = None,
    quick: Annotated[bool, typer.Option("--quick", help="Few canaries and a short search: a trial.")] = False,
    seed: Seed = None,
    out: Out = Path("runs/audit"),
    config_file: ConfigFile = None,
    overrides: Set = None,
    as_json: Json = False,
) -> None:
    """Attack a configuration: who was trained on, what photographs and notes looked like, what epsilon holds.

    Exit code 1: a lower bound exceeds what was promised, or an attack finds nothing where nothing is protected.
    """
    from shared_model.private_training import require_private_run
    from shared_model.progress import RunProgress
    from simulations.audit.audit import Audit, attacks_of, configs
    from simulations.audit.report import markdown
    from simulations.audit.sizes import FULL, QUICK
    from simulations.audit.views import at
    from simulations.privacy_curve import epsilons_of

    asked, budgets = attacks_of(attacks), epsilons_of(epsilons)
    given = experiment_config(
        preset=preset,
        file=config_file,
        overrides=overrides,
        seed=seed,
        federation__rounds=rounds,
        privacy_elsewhere=True,
    )
    base, private = configs(given, overrides, rounds)
    require_private_everywhere(private)
    require_private_run(at(private, budgets[0]))
    sizes = QUICK if quick else FULL
    with RunProgress(errors) as progress:
        document = Audit(base, private, data, out, asked, budgets, seeds, sizes, progress).make()
    show_study("audit", out, markdown(document), as_json=as_json, kinds=("md", "json", "html"))
    if document["verdict"]["broken"] or document["verdict"]["blind"]:
        raise typer.Exit(1)
