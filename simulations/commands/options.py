"""Options that several commands share, and what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from shared_model.config import Config, load_config
from shared_model.config.variants import FULL, variant_named
from shared_model.errors import ConfigError

Data = Annotated[
    Path,
    typer.Option(
        help="A data folder in BRSET's layout, or a site.toml that says how to read another.",
        show_default=False,
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Override any configuration key."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result document as JSON, and nothing else.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="A TOML file over the preset.")]
Seed = Annotated[int | None, typer.Option(min=0, help="Seed of everything random.")]
Seeds = Annotated[int, typer.Option(min=1, help="How many seeds, from the configured one on.")]
Preset = Annotated[str, typer.Option(help="tiny or paper.")]
Rounds = Annotated[int | None, typer.Option(min=1)]
Out = Annotated[Path, typer.Option(help="Folder of the results; one begun before is gone on with.")]
Modes = Annotated[str, typer.Option(help="Some of federated, pooled, local (each site alone).")]
Second = Annotated[
    Path | None, typer.Option(help="Another data folder, or its site.toml, that no training sees.")
]


def show_study(
    name: str, out: Path, text: str, *, as_json: bool, kinds: Sequence[str] = ("md", "json")
) -> None:
    """Print what a command that trains many models found, and where it lies: `out`/NAME.KIND."""
    if as_json:
        print((out / f"{name}.json").read_text(encoding="utf-8"), end="")
        return
    print(text)
    print(f"{name}: {', '.join(str(out / f'{name}.{kind}') for kind in kinds)}")


def require_private_everywhere(config: Config) -> None:
    """Raises ConfigError where sites are named that train privately: what is shown of a budget is of all of them."""
    if config.privacy.sites:
        raise ConfigError(
            "this command compares budgets at which every site trains privately",
            where="privacy.sites",
            fix="leave privacy.sites out; fedfundus-simulate run takes it",
        )


def experiment_config(
    variant: str = FULL,
    *,
    preset: str,
    file: Path | None,
    overrides: Sequence[str] | None,
    privacy_elsewhere: bool = False,
    **values: object,
) -> Config:
    """The configuration of one experiment of many: equal steps for all, so no early stopping.

    privacy_elsewhere: as of load_config, for a command that trains at budgets of its own. A model
    of no round stays one, whatever number of rounds the others take.
    """
    if variant_named(variant).config.get("federation", {}).get("rounds") == 0:
        values["federation__rounds"] = 0
    config = load_config(
        preset,
        variant=variant,
        file=file,
        overrides=overrides or (),
        privacy_elsewhere=privacy_elsewhere,
        **{**values, "training__early_stopping": 0},
    )
    from client.training.machine import on_this_machine  # imports PyTorch, which takes its time
    from shared_model.private_training import require_private_run
    from simulations.engines import require_engine
    from simulations.processes import processes_asked

    require_private_run(config)
    require_engine(config)
    return on_this_machine(config, processes_asked(config))
