"""`fedfundus-simulate audit`: every attack against every view of a configuration, and whether the promises hold.

Each attack goes through the real workers and round loop. What is finished is kept, so that a call that was broken off
goes on where it stopped.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from shared_model.artefact import write_json
from shared_model.config import Config
from shared_model.config.secure_aggregation import FEWEST_SITES
from shared_model.errors import ConfigError, DataError
from shared_model.files import write_text
from shared_model.progress import RunProgress
from simulations.audit import membership
from simulations.audit.canary_part import CanaryPart
from simulations.audit.inversion_part import InversionPart
from simulations.audit.pieces import Pieces
from simulations.audit.report import markdown, page, without_secure
from simulations.audit.sizes import Sizes
from simulations.audit.verdict import verdict
from simulations.audit.views import View, all_shared, private_config, views, with_control
from simulations.experiments import Study
from simulations.experiments.layout import fingerprint
from simulations.output import resumable_folder
from simulations.prepare import Prepared

SCHEMA = "fedfundus.audit/1"
ATTACKS = ("membership", "canaries", "inversion")


def attacks_of(text: str) -> list[str]:
    """The attacks in "membership,canaries". Raises ConfigError for one that there is not, and for none."""
    asked = [part.strip() for part in text.split(",") if part.strip()]
    unknown = [name for name in asked if name not in ATTACKS]
    if unknown or not asked:
        raise ConfigError(
            f"there is no attack {unknown[0]!r}" if unknown else "no attack is named",
            where="--attacks",
            fix=f"use some of: {', '.join(ATTACKS)}",
        )
    return [name for name in ATTACKS if name in asked]


def configs(given: Config, overrides: Sequence[str] | None, rounds: int | None) -> tuple[Config, Config]:
    """The configuration to attack without differential privacy and with it.

    One that asks for privacy is attacked as it is; beside another stands the preset made for privacy, with the same
    `--set` and number of rounds.
    """
    if given.privacy.enabled:
        plain = given.privacy.model_copy(update={"enabled": False})
        return given.model_copy(update={"privacy": plain}), given
    values = {"seed": given.seed, "federation__rounds": rounds}
    private = private_config(given.preset, overrides=overrides or (), **values)
    return given, private.model_copy(update={"runtime": given.runtime})


@dataclass
class Audit:
    """Attacks on `config` and, at these budgets, on `private`, with `seeds` seeds from the configured one on."""

    config: Config
    private: Config
    data: Path
    out: Path
    attacks: Collection[str]
    epsilons: Sequence[float]
    seeds: int
    sizes: Sizes
    progress: RunProgress

    def make(self) -> dict[str, Any]:
        """Attack and write audit.json, audit.md, audit.html and pictures/; the document of the JSON."""
        study = Study(self.data, resumable_folder(self.out), self.config, self.progress)
        found: dict[str, Any] = {name: {} for name in self.attacks}
        for seed in range(self.config.seed, self.config.seed + self.seeds):
            prepared = study.prepared(seed)
            pieces = Pieces(study.folder / "pieces", fingerprint(prepared))
            attacked = self._views(seed, len(prepared.sites))
            if "membership" in self.attacks:
                _require_enough(prepared)
                found["membership"][str(seed)] = self._membership(attacked, prepared, pieces, seed)
            if "canaries" in self.attacks:
                part = CanaryPart(self.sizes, prepared, pieces, study.folder, seed, self.progress)
                found["canaries"][str(seed)] = part.attack(attacked)
            if "inversion" in self.attacks and seed == self.config.seed:
                inversion = InversionPart(
                    self.sizes, prepared, pieces, self.out / "pictures", seed, self.progress
                )
                found["inversion"] = inversion.attack(attacked, self.config)
        document = self._document(found, len(prepared.sites))
        write_json(self.out / "audit.json", document)
        write_text(self.out / "audit.md", markdown(document))
        write_text(self.out / "audit.html", page(document, self.out / "pictures"))
        # What is attacked again with other attacks need not be read again.
        for name in ("photographs", "canaries") if set(self.attacks) == set(ATTACKS) else ():
            shutil.rmtree(study.folder / name, ignore_errors=True)
        return document

    def _views(self, seed: int, sites: int) -> list[View]:
        """Secure aggregation is not to be had of fewer than three sites, and that is said."""
        found = views(_seeded(self.config, seed), _seeded(self.private, seed), self.epsilons)
        for why in without_secure(sites) if seed == self.config.seed else ():
            self.progress.say(f"notice: {why}")
        return [view for view in found if view.sees == "each" or sites >= FEWEST_SITES]

    def _membership(
        self, attacked: Sequence[View], prepared: Prepared, pieces: Pieces, seed: int
    ) -> dict[str, Any]:
        """View -> signal -> attack -> figures."""
        tables = membership.split(prepared.table, prepared.sites, seed)
        base = all_shared(attacked[0].config)

        def reference(folder: Path) -> Any:
            hear = self._hear(f"reference model {seed}")
            last = membership.train_reference(base, tables, prepared.images, folder, hear)
            seen = dict.fromkeys(tables, last.updates["the attacker"])
            losses = membership.signals_of(base, seen, last.standardisation, tables, prepared.images)
            return {s: {n: values.to_dict() for n, values in own.items()} for s, own in losses.items()}

        kept = pieces.piece("reference", base, "", reference)
        known = {s: {n: pd.Series(v, dtype=float) for n, v in own.items()} for s, own in kept.items()}
        found: dict[str, Any] = {}
        for view in with_control(attacked):

            def attack(folder: Path, view: View = view) -> Any:
                hear = self._hear(f"{view.name}, seed {seed}")
                last = membership.train(tables, view.config, prepared.images, folder, hear, view.noise)
                return membership.attack(view.config, last, known, tables, prepared.images)

            found[view.name] = pieces.piece("membership", view.config, view.noise, attack)

        def control(folder: Path) -> Any:
            config, few = membership.still(base), membership.few(tables)
            last = membership.train(few, config, prepared.images, folder, self._hear(f"control, seed {seed}"))
            return membership.attack(config, last, known, few, prepared.images)

        first = {membership.CONTROL: pieces.piece("control", base, membership.FEW, control)}
        return first | found

    def _hear(self, name: str) -> membership.OnRound:
        return lambda done, total: self.progress.update(f"membership: {name}", done, total)

    def _document(self, found: dict[str, Any], sites: int) -> dict[str, Any]:
        privacy = self.private.privacy
        document: dict[str, Any] = {
            "schema": SCHEMA,
            "run": {
                "preset": self.config.preset,
                "private_preset": self.private.preset,
                "sites": sites,
                "rounds": self.config.federation.rounds,
                "private_rounds": self.private.federation.rounds,
                "local_steps": self.config.training.local_steps,
                "seeds": self.seeds,
                "seed": self.config.seed,
                "epsilons": list(self.epsilons),
                "delta": privacy.delta,
                "mode": privacy.mode,
                "sizes": self.sizes.document(),
            },
            **found,
        }
        return document | {"verdict": verdict(document)}


def _seeded(config: Config, seed: int) -> Config:
    return config.model_copy(update={"seed": seed})


def _require_enough(prepared: Prepared) -> None:
    """Both sides of the question must be there at every site. Raises DataError naming a site that has not enough."""
    table = prepared.table
    for site, patients in prepared.sites.items():
        tested = table[table["patient_id"].isin(set(patients)) & (table["split"] == "test")]
        if tested["patient_id"].nunique() < 4:
            raise DataError(
                "a site has fewer than 4 test patients, and so nobody to tell members from",
                where=f"site {site}",
                fix="use more patients, a smaller data.split, or fewer sites",
            )
