"""The canaries of one seed: planted in the first site's data and in the private step, and what epsilon they refute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd

from client.data.images import ImageStore, build_image_store
from shared_model.config.privacy import Mode
from shared_model.progress import RunProgress
from simulations.audit import canaries, dirac
from simulations.audit.attacker import Attacker
from simulations.audit.one_run import guess
from simulations.audit.pieces import Pieces
from simulations.audit.planted import canaries as plant
from simulations.audit.planted import rare_words
from simulations.audit.sizes import Sizes
from simulations.audit.views import View, at
from simulations.prepare import Prepared

PATIENTS, GRADIENTS = "planted patients", "gradients"


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
        """A row for each view and kind of canary: claim, and the lower bound on epsilon."""
        rows: list[dict[str, Any]] = []
        for view in attacked:
            found = self._planted(view)
            scores, coins = np.array(found["scores"]), np.array(found["coins"], dtype=bool)
            rows.append(
                self._row(view, PATIENTS, view.config.privacy.mode, scores, coins, self.sizes.guesses)
            )
        for view in attacked:
            if view.claim is not None:
                rows += [self._gradients(view, mode) for mode in get_args(Mode)]
        return rows

    def _row(self, view: View, kind: str, mode: str, scores: Any, coins: Any, guesses: int) -> dict[str, Any]:
        """The guesses of one view; a view that promises nothing is audited at the delta of those that do."""
        found = guess(scores, coins, guesses, view.config.privacy.delta)
        return {
            "view": view.name,
            "kind": kind,
            "mode": mode if view.claim is not None else None,
            "claim": view.claim,
            "delta": view.config.privacy.delta,
            **asdict(found),
        }

    def _planted(self, view: View) -> dict[str, Any]:
        """Scores of planted patients, and their coins, in a run of fewer rounds at the same budget.

        The other sites take part only where theirs is all that hides the first one.
        """
        rounds = min(self.sizes.rounds, view.config.federation.rounds)
        federation = view.config.federation.model_copy(update={"rounds": rounds})
        view = replace(view, config=view.config.model_copy(update={"federation": federation}))
        tables = self._tables()
        if view.sees == "each":
            tables = dict(list(tables.items())[:1])
        site = next(iter(tables))
        coins = dirac.coins(self.sizes.planted, self.seed, site, "patients")

        def make(folder: Path) -> Any:
            own, images = self._photographs(view)
            scores = canaries.find(view, tables, own, coins, images, folder, self._hear(view))
            return {"coins": coins.tolist(), "scores": scores.tolist()}

        found: dict[str, Any] = self.pieces.piece(
            "planted", view.config, [self.sizes.planted, canaries.FRESH], make
        )
        return found

    def _gradients(self, view: View, mode: str) -> dict[str, Any]:
        config = at(view.config, view.config.privacy.epsilon, mode=mode)
        site, table = next(iter(self._tables().items()))
        patients = int(table.loc[table["split"] == "train", "patient_id"].nunique())

        def make(folder: Path) -> Any:
            name = f"canaries: gradients, {view.name}, {mode}, seed {self.seed}"
            self.progress.update(name, 0, 1, unit="done")
            scores, coins = dirac.attack(config, site, patients, self.seed, self.sizes.gradients)
            self.progress.update(name, 1, 1, unit="done")
            return {"scores": scores.tolist(), "coins": coins.tolist()}

        found = self.pieces.piece("gradients", config, [self.sizes.gradients, dirac.STEPS], make)
        scores, coins = np.array(found["scores"]), np.array(found["coins"], dtype=bool)
        return self._row(view, GRADIENTS, mode, scores, coins, self.sizes.gradient_guesses)

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
