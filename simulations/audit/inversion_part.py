"""Which views are inverted at which moments, for one patient; and the pictures of what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor

from shared_model.config import Config
from shared_model.files import naming_disk_errors, write_bytes
from shared_model.progress import RunProgress
from simulations.audit import inversion
from simulations.audit.attacker import Attacker
from simulations.audit.exposures import WHAT, Kind, Scene
from simulations.audit.likeness import png
from simulations.audit.pieces import Pieces
from simulations.audit.sizes import Sizes
from simulations.audit.views import View, with_control
from simulations.prepare import Prepared

SHOWN = ("original", "mean", "found")


@dataclass
class InversionPart:
    """pictures: the folder that they are written to."""

    sizes: Sizes
    prepared: Prepared
    pieces: Pieces
    pictures: Path
    seed: int
    progress: RunProgress

    def attack(self, attacked: Sequence[View], base: Config) -> list[dict[str, Any]]:
        """A row for each view and moment. base: as the person asked for it, of which the control is made."""
        with naming_disk_errors(self.pictures):
            self.pictures.mkdir(mode=0o700, parents=True, exist_ok=True)
        control = inversion.control(attacked[0].config)
        asked: list[tuple[View, Kind]] = [(control, "gradient"), (control, "one patient")]
        asked += moments(attacked)
        rows = []
        for number, (view, kind) in enumerate(asked):
            self.progress.update("inversion", number, len(asked), unit="updates")
            rows.append(self._one(view, kind, number))
        self.progress.update("inversion", len(asked), len(asked), unit="updates")
        return rows

    def _one(self, view: View, kind: Kind, number: int) -> dict[str, Any]:
        def make(folder: Path) -> Any:
            scene, own, rare = self._scene(view, kind, folder)
            name = f"search: {view.name}, {kind}"

            def shown(step: int) -> None:
                self.progress.update(name, step, self.sizes.search, unit="steps")

            figures, pictures = inversion.attack(view, kind, scene, own, rare, self.sizes.search, shown)
            return figures | {"pictures": self._write(pictures, f"{number:02d}")}

        figures = self.pieces.piece(
            "inversion", view.config, [kind, view.sees, view.noise, self.sizes.search, number], make
        )
        return {"view": view.name, "moment": kind, "what": WHAT[kind], "claim": view.claim, **figures}

    def _write(self, pictures: dict[str, Tensor], number: str) -> dict[str, str]:
        found = {}
        for name in SHOWN:
            if name in pictures:
                found[name] = f"{number}-{name}.png"
                write_bytes(self.pictures / found[name], png(pictures[name]))
        return found

    def _scene(self, view: View, kind: Kind, folder: Path) -> tuple[Scene, pd.DataFrame, str]:
        table = self.prepared.table
        rare = inversion.unused_word(Attacker.of(view.config), list(table["note"].dropna()))
        tables = {
            site: table[table["patient_id"].isin(set(own))].reset_index(drop=True)
            for site, own in self.prepared.sites.items()
        }
        site, real = next(iter(tables.items()))
        target = inversion.pick(real, rare)
        others = real[real["record_id"] != target["record_id"].iloc[0]]
        tables[site] = seated(others, target, view.config, site)
        return Scene(tables, target, self.prepared.images, folder), table[table["split"] == "test"], rare


def seated(others: pd.DataFrame, target: pd.DataFrame, config: Config, site: str) -> pd.DataFrame:
    """The site's records with the target among those that the first round draws: it would wait its turn otherwise."""
    train = others[others["split"] == "train"]
    place = int(inversion.drawn(len(train) + 1, config, site)[0])
    return pd.concat(
        [train.iloc[:place], target, train.iloc[place:], others[others["split"] != "train"]],
        ignore_index=True,
    )


def moments(attacked: Sequence[View]) -> list[tuple[View, Kind]]:
    """The gradient itself is nowhere seen of a sum, nor where it is clipped and noised before anything leaves."""
    found: list[tuple[View, Kind]] = []
    for view in with_control(attacked):
        kinds: tuple[Kind, ...] = ("gradient", "one patient", "round")
        hidden = view.sees == "sum" or view.config.privacy.enabled
        found += [(view, kind) for kind in kinds if not (hidden and kind == "gradient")]
    return found
