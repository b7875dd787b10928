"""Moments at which a photograph and a note are attacked, from the most favourable to an ordinary round.

The attacker knows everything of the patient but what it asks for (grades, and for the photograph the note and the
form), and what travels of the first round of the run, which starts from weights that everybody knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import torch

from client.data.images import ImageStore
from shared_model.config import Config
from shared_model.exchange import parameter_kinds
from shared_model.exchange.parameters import Arrays
from shared_model.losses import Batch
from simulations.audit.attacker import Attacker
from simulations.audit.views import View
from simulations.audit.witness import Round, watch

Kind = Literal["gradient", "one patient", "round"]
WHAT: dict[Kind, str] = {
    "gradient": "one patient, one step, the gradient itself",
    "one patient": "one patient, one step, as sent",
    "round": "a round of the site, as sent",
}


@dataclass(frozen=True, eq=False)
class Exposure:
    """What was seen. moved: minus the change of every tensor that travels, or its gradient; `kind` says which.

    base: what they are of. target: the one record asked after. standardisation: as the coordinator knows it.
    """

    kind: Kind
    base: Arrays
    moved: dict[str, torch.Tensor]
    standardisation: Mapping[str, Any]


@dataclass(frozen=True)
class Scene:
    """tables: site -> records, the first being the target's. target: its one record, which is among them."""

    tables: Mapping[str, pd.DataFrame]
    target: pd.DataFrame
    images: ImageStore
    folder: Path

    @property
    def site(self) -> str:
        """The target's."""
        return next(iter(self.tables))


def expose(view: View, scene: Scene, kind: Kind, *, number: int = 0) -> Exposure:
    """The first round of `view` at this moment; number: of the folder that its workers use."""
    config, tables = _moment(view.config, kind), dict(scene.tables)
    real = tables[scene.site]
    if kind != "round":
        tables[scene.site] = scene.target
    rounds: list[Round] = []
    watch(
        config,
        tables,
        scene.images,
        scene.folder / f"{view.name} {kind} {number}".replace(" ", "-"),
        rounds.append,
        told={scene.site: real},
        registered={site: _patients(scene.tables[site]) for site in tables},
        planned=view.config,
        noise=view.noise,
    )
    seen = rounds[0]
    if kind == "gradient":
        return Exposure(kind, seen.base, gradient(config, seen, scene), seen.standardisation)
    model = seen.seen(scene.site)
    moved = {name: torch.from_numpy(seen.base[name] - model[name]) for name in seen.base}
    return Exposure(kind, seen.base, moved, seen.standardisation)


def gradient(config: Config, seen: Round, scene: Scene) -> dict[str, torch.Tensor]:
    """The target's gradient of the training loss on the model sent, of what travels: what plain SGD would send."""
    attacker = Attacker.of(config)
    attacker.take(seen.base)
    batch = attacker.dataset(scene.target, scene.images, seen.standardisation).batch([0])
    return {name: part.detach() for name, part in gradient_of(attacker, batch, create_graph=False).items()}


def gradient_of(attacker: Attacker, batch: Batch, *, create_graph: bool) -> dict[str, torch.Tensor]:
    """Gradient of the training loss of what travels, zeros where it does not depend on a tensor."""
    objective = attacker.objective
    kinds = parameter_kinds(objective)
    named = {name: p for name, p in objective.named_parameters() if kinds[name] == "shared"}
    loss = objective(batch)[0]
    parts = torch.autograd.grad(loss, list(named.values()), allow_unused=True, create_graph=create_graph)
    return {
        name: torch.zeros_like(parameter) if part is None else part
        for (name, parameter), part in zip(named.items(), parts, strict=True)
    }


def _moment(config: Config, kind: Kind) -> Config:
    """One round of the run; for one patient a single step on that patient as they are, which favours the attacker."""
    training: dict[str, Any] = {}
    if kind != "round":
        still = {"flips": False, "rotation_degrees": 0.0, "brightness": 0.0, "contrast": 0.0}
        training = {
            "local_steps": 1,
            "batch_size": 1,
            "accumulation": 1,
            "modality_dropout": 0.0,
            "augmentation": config.training.augmentation.model_copy(update=still),
        }
    return config.model_copy(
        update={
            "training": config.training.model_copy(update=training),
            "federation": config.federation.model_copy(update={"rounds": 1, "quorum": 1}),
        }
    )


def _patients(table: pd.DataFrame) -> int:
    return int(table.loc[table["split"] == "train", "patient_id"].nunique())
