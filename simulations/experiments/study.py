"""A study: the data read once, experiments carried out, results kept in one folder.

A finished experiment is never trained again: it is looked up by what decides the model (configuration, data, seed).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from shared_model.config import Config
from shared_model.progress import RunProgress
from shared_model.records import STRUCTURED
from simulations.experiments.carry_out import TRAINED
from simulations.experiments.estimate import estimate, spoken
from simulations.experiments.experiment import Experiment
from simulations.experiments.layout import fingerprint, lay_out
from simulations.experiments.pool import carry_out_all
from simulations.experiments.results import Result, read_result, reading_of
from simulations.output import nothing_half_read
from simulations.prepare import Prepared, read_records, write_workspace

STORE = "photographs"
SECOND = "second"  # the same of other data, see simulations.tables.second


class Study:
    """Experiments on one data folder. folder: where they are kept; base: how data are read and cores are used."""

    def __init__(self, data: Path, folder: Path, base: Config, progress: RunProgress) -> None:
        self.folder = folder
        self.progress = progress
        self._data = data
        self._base = base
        self._prepared: dict[int, Prepared] = {}
        self._fingerprints: dict[int, str] = {}

    def prepared(self, seed: int) -> Prepared:
        """Records with the splits of this seed, and its sites; photographs are read once for all seeds."""
        if seed not in self._prepared:
            self._prepared[seed] = self._read(seed)
            self._fingerprints[seed] = fingerprint(self._prepared[seed])
        return self._prepared[seed]

    def lacks(self, config: Config) -> str:
        """Why a model of fewer inputs cannot be trained on these data; "" where it can.

        A model of all inputs takes what there is, as in every run.
        """
        reads = set(config.model.inputs)
        table = self.prepared(config.seed).table
        train = table[table["split"] == "train"]
        if len(reads) < 3 and "text" in reads and bool(train["note"].isna().all()):
            return "these data hold no notes"
        if len(reads) < 3 and "structured" in reads and bool(train[list(STRUCTURED)].isna().all(axis=None)):
            return "these data hold no form"
        return ""

    def run(self, experiments: Sequence[Experiment]) -> dict[Experiment, Result]:
        """The result of every experiment, trained where no earlier call has trained it."""
        folders = {one: self._folder(one) for one in experiments}
        kept = {folder: self._kept(one, folder) for one, folder in folders.items()}
        owners = {folder: one for one, folder in reversed(folders.items()) if kept[folder] is None}
        lacking = {one: folder for folder, one in reversed(owners.items())}
        self._announce(len(kept), lacking)
        for one, folder in lacking.items():
            self._lay_out(one, folder)
        fresh = carry_out_all(lacking, self._jobs(), self.progress) if lacking else {}
        made = {folder: fresh[one] for one, folder in lacking.items()}
        return {one: made.get(folder) or _known(kept[folder]) for one, folder in folders.items()}

    def finish(self, results: Iterable[Result]) -> None:
        """Remove the prepared photographs once no result is lacking: only training and reading needed them.

        What is trained stays, so that a later call of the same folder trains nothing; it reads photographs again.
        """
        if any(result.failed for result in results):
            return
        for part in (STORE, SECOND):
            shutil.rmtree(self.folder / part, ignore_errors=True)

    def _read(self, seed: int) -> Prepared:
        config = self._base.model_copy(update={"seed": seed})
        store, laid_out = self.folder / STORE, self.folder / f"seed-{seed}"
        with nothing_half_read(self.folder, store, laid_out):
            table, images, quarantine, notices = read_records(
                self._data,
                config,
                store,
                lambda done, total: self.progress.update("reading photographs", done, total, unit="files"),
            )
            prepared = write_workspace(table, images, config, laid_out, quarantine, notices)
        shutil.rmtree(laid_out)  # every experiment has a workspace of its own
        for notice in prepared.notices if not self._prepared else ():
            self.progress.say(f"notice: {notice}")
        # What sites are made to do without is taken from each experiment's own workspace.
        return Prepared(table, images, prepared.sites, prepared.partition, quarantine, prepared.notices)

    def _folder(self, one: Experiment) -> Path:
        self.prepared(one.seed)
        return self.folder / one.key(self._fingerprints[one.seed])

    def _kept(self, one: Experiment, folder: Path) -> Result | None:
        found = read_result(folder)
        return found if found and found.document.get("reading") == reading_of(one.config) else None

    def _lay_out(self, one: Experiment, folder: Path) -> None:
        if not (folder / TRAINED).exists():  # what an interruption left of it is of no use
            shutil.rmtree(folder, ignore_errors=True)
        lay_out(one, self.prepared(one.seed), self.folder / STORE, folder)

    def _announce(self, wanted: int, lacking: dict[Experiment, Path]) -> None:
        if not lacking:
            self.progress.say(f"{wanted} models, all of them finished already")
            return
        splits = {seed: prepared.table["split"] for seed, prepared in self._prepared.items()}
        sites = len(next(iter(self._prepared.values())).sites)
        self.progress.say("measuring how fast this machine trains them")
        untrained = [one for one, folder in lacking.items() if not (folder / TRAINED).exists()]
        seconds = estimate(untrained, splits, sites, self._jobs())
        finished = f", {wanted - len(lacking)} of them finished already" if wanted > len(lacking) else ""
        self.progress.say(
            f"{wanted} models{finished}; {spoken(seconds)} for {len(lacking)} in {self._jobs()} processes"
        )

    def _jobs(self) -> int:
        return self._base.runtime.jobs or os.cpu_count() or 1


def _known(result: Result | None) -> Result:
    assert result is not None
    return result
