"""The canaries of one seed: planted in the first site's data and in the private step, and what epsilon they refute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from client.data.images import ImageStore, build_image_store
from shared_model.config.privacy import Mode
from shared_model.progress import RunProgress
from simulations.audit import canaries, dirac, trials
from simulations.audit.attacker import Attacker
from simulations.audit.one_run import epsilon_bound, guess
from simulations.audit.overheard import bared
from simulations.audit.pieces import Pieces
from simulations.audit.planted import canaries as plant
from simulations.audit.planted import rare_words
from simulations.audit.sizes import Sizes
from simulations.audit.tallies import Floats
from simulations.audit.views import View, at, with_control
from simulations.prepare import Prepared

PATIENTS, GRADIENTS = "planted patients", "gradients"
UNSEEDED = "gradients, the operating system's noise"


@dataclass
class CanaryPart:
    """folder: where photographs of canaries are kept until the audit is over."""

    sizes: Sizes
    prepared: Prepared
    pieces: Pieces
    folder: Path
    seed: int
    progress: RunProgress

    def attack(self, attacked: Sequence[View]) -> list[dict[str, Any]]:
        """A row for each view and kind of canary: claim, the lower bound on epsilon, and the highest that there could
        have been. Of private views one is attacked without noise, too.
        """
        private = [view for view in attacked if view.claim is not None]
        rows = [self._planted(view) for view in with_control(attacked)]
        for view in private:
            rows += [self._gradients(view, mode, GRADIENTS) for mode in get_args(Mode)]
            rows.append(self._gradients(view, "prototypes", UNSEEDED))
        return rows

    def _planted(self, view: View) -> dict[str, Any]:
        """Planted patients in a run of fewer rounds at the same budget.

        The other sites take part only where theirs is all that hides the first one. A view that promises nothing is
        audited at the delta of those that do.
        """
        view, find = self._audited(view)
        tables = self._tables()
        if view.sees == "each":
            tables = dict(list(tables.items())[:1])
        coins = dirac.coins(self.sizes.planted, self.seed, next(iter(tables)), "patients")

        def make(folder: Path) -> Any:
            own, images = self._photographs(view)
            return find(view, tables, (own, coins), images, folder, self._hear(view)).tolist()

        scores = self.pieces.piece("planted", view.config, [self.sizes.planted, view.sees, view.noise], make)
        delta = view.config.privacy.delta
        found = guess(scores, coins, self.sizes.guesses, delta)
        most = epsilon_bound(found.canaries, found.guesses, found.guesses, delta, 1 - found.confidence)
        return self._row(view, PATIENTS, view.config.privacy.mode, asdict(found) | {"ceiling": most})

    def _audited(self, view: View) -> tuple[View, Callable[..., Floats]]:
        rounds = min(self.sizes.rounds, view.config.federation.rounds)
        if view.config.privacy.enabled:
            return replace(view, config=bared(view.config, rounds)), canaries.find_private
        federation = view.config.federation.model_copy(update={"rounds": rounds})
        return replace(view, config=view.config.model_copy(update={"federation": federation})), canaries.find

    def _gradients(self, view: View, mode: str, kind: str) -> dict[str, Any]:
        """Through the private step, and in a control through the same without noise."""
        assert view.claim is not None
        config = at(view.config, view.claim, mode=mode, seeded=kind == GRADIENTS)
        site, table = next(iter(self._tables().items()))
        patients = int(table.loc[table["split"] == "train", "patient_id"].nunique())
        count = max(self.sizes.gradients, trials.wanted(view.claim))

        def make(folder: Path) -> Any:
            name = f"canaries: {kind}, {view.name}, {mode}, seed {self.seed}"
            found: list[dict[str, Any]] = []
            for noise in (1.0, 0.0):
                self.progress.update(name, len(found), 2, unit="done")
                scores, coins = dirac.attack(config, site, patients, self.seed, count, noise)
                found.append(asdict(trials.judge(scores, coins, config.privacy.delta)))
            self.progress.update(name, 2, 2, unit="done")
            return found[0] | {"control": found[1]["epsilon"]}

        found = self.pieces.piece("gradients", config, [kind, count], make)
        return self._row(view, kind, mode, found)

    def _row(self, view: View, kind: str, mode: str, found: dict[str, Any]) -> dict[str, Any]:
        return {
            "view": view.name,
            "kind": kind,
            "mode": mode if view.config.privacy.enabled else None,
            "claim": view.claim,
            "delta": view.config.privacy.delta,
            **found,
        }

    def _tables(self) -> dict[str, pd.DataFrame]:
        table = self.prepared.table
        return {
            site: table[table["patient_id"].isin(set(own))].reset_index(drop=True)
            for site, own in self.prepared.sites.items()
        }

    def _photographs(self, view: View) -> tuple[pd.DataFrame, ImageStore]:
        """The canaries' records, and a store of everybody's photographs with theirs among them."""
        folder, images = self.folder / "canaries", self.prepared.images
        notes = list(self.prepared.table["note"].dropna())
        words = rare_words(Attacker.of(view.config).tokenizer, notes)
        own = plant(self.sizes.planted, images.size, self.seed, words, folder / "files")
        everybody = pd.concat([self.prepared.table, own], ignore_index=True)
        store, _ = build_image_store(everybody, folder / f"images-{self.seed}.npy", images.size, 1)
        return own, store

    def _hear(self, view: View) -> Callable[[int], None]:
        name, total = f"canaries: {view.name}, seed {self.seed}", view.config.federation.rounds
        return lambda number: self.progress.update(name, number, total)
