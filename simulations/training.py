"""Training every model of a run: the federation in this process, the baselines beside it in others.

Processes do not change results: each model's numbers follow from its configuration and data alone.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from client.cache.listener import heard_by
from client.cache.relay import relayed, speak_through
from client.worker.simulated import ROOT_VARIABLE
from server.history import RoundRecord
from server.store import RunFolder
from shared_model.config import Config
from shared_model.errors import RunError
from shared_model.metrics.predictions import Predictions
from shared_model.progress import RunProgress
from simulations.baselines import Baseline, baseline_folder, baselines, train_baseline
from simulations.engines import run_engine
from simulations.inference import test_predictions
from simulations.prepare import Prepared
from simulations.processes import ctrl_c_for_the_parent_alone, processes_asked, stop_children

FEDERATED = "federated"
POLL_SECONDS = 0.5
Trained = dict[str, dict[str, Predictions]]  # model -> "last" and "best" -> predictions


def _pool(
    processes: int, channel: Connection | None
) -> ProcessPoolExecutor | AbstractContextManager[None, None]:
    """Processes for baselines, which tell `channel` of the trunk cache; none where there are to be none."""
    if processes < 1:
        return nullcontext()
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(processes, mp_context=context, initializer=speak_through, initargs=(channel,))


@dataclass
class Training:
    """One run's training. folder: where the federated model's files go; workspace: what workers open."""

    config: Config
    prepared: Prepared
    folder: Path
    workspace: Path
    progress: RunProgress
    name: str = FEDERATED  # of the federated model's progress bar

    def run(self) -> Trained:
        """Train the federated model and, if configured, its baselines; predictions of all of them."""
        planned = baselines(self.config, self.prepared.sites) if self.config.evaluation.comparison else []
        jobs = min(processes_asked(self.config), 1 + len(planned))
        with relayed(self.progress) as channel, _pool(jobs - 1, channel) as executor:
            with ctrl_c_for_the_parent_alone():
                waiting = {
                    b.label: executor.submit(train_baseline, b, self.workspace, self._site_of())
                    if executor
                    else None
                    for b in planned
                }
            try:
                trained = {FEDERATED: self._federated(waiting, self._beside(jobs - 1))}
                return trained | self._baselines(planned, waiting)
            except BaseException as error:
                if executor:
                    executor.shutdown(wait=False, cancel_futures=True)
                    stop_children()
                if isinstance(error, BrokenProcessPool):
                    raise RunError(
                        "a process that trained a baseline was ended from outside, most likely for lack of memory",
                        where="simulations",
                        fix="use --set runtime.jobs=1, a smaller training.batch_size, or evaluation.comparison=false",
                    ) from None
                raise

    def _beside(self, baseline_processes: int) -> int:
        """Processes for the sites: what runtime.jobs asks for beyond those of the baselines.

        Each holds a whole model, so several are used only where somebody said how many.
        """
        return max(1, self.config.runtime.jobs - baseline_processes)

    def _federated(
        self, waiting: dict[str, Future[dict[str, Predictions]] | None], jobs: int
    ) -> dict[str, Predictions]:
        os.environ[ROOT_VARIABLE] = str(self.workspace.resolve())
        try:
            with heard_by(self.progress):
                run_engine(self.config, self.folder, len(self.prepared.sites), self._hear(waiting), jobs)
        finally:
            os.environ.pop(ROOT_VARIABLE, None)
        folder, table, images = RunFolder(self.folder), self.prepared.table, self.prepared.images
        with heard_by(self.progress):
            return test_predictions(self.config, folder, table, images, self._site_of(), self.workspace)

    def _baselines(
        self, planned: list[Baseline], waiting: dict[str, Future[dict[str, Predictions]] | None]
    ) -> Trained:
        """Take those that no process has begun, last first, then wait for the others."""
        trained: Trained = {}
        for baseline in reversed(planned):
            future = waiting[baseline.label]
            if future is None or future.cancel():
                trained[baseline.label] = train_baseline(
                    baseline, self.workspace, self._site_of(), self._hear(waiting)
                )
        running = {label: future for label, future in waiting.items() if future and label not in trained}
        while wait(list(running.values()), timeout=POLL_SECONDS).not_done:
            self._poll(waiting)
        self._poll(waiting)
        trained |= {label: future.result() for label, future in running.items()}
        return {baseline.label: trained[baseline.label] for baseline in planned}

    def _site_of(self) -> dict[str, str]:
        return {patient: site for site, patients in self.prepared.sites.items() for patient in patients}

    def _hear(
        self, waiting: dict[str, Future[dict[str, Predictions]] | None]
    ) -> Callable[[RoundRecord], None]:
        def heard(record: RoundRecord) -> None:
            self._show(record)
            self._poll(waiting)

        return heard

    def _show(self, record: RoundRecord) -> None:
        row = record.to_dict()
        label = self.name if row["model"] == FEDERATED else row["model"]
        self._update(label, row["round"], row["validation"]["loss"])

    def _poll(self, waiting: dict[str, Future[dict[str, Predictions]] | None]) -> None:
        """Other processes tell how far they are through the history they write anyway."""
        for label, future in waiting.items():
            if future is not None and not future.cancelled():
                if future.done() and (failed := future.exception()):
                    raise failed  # now, not after hours of training beside it
                rows = RunFolder(baseline_folder(self.workspace, label)).history()
                if rows:
                    self._update(label, rows[-1]["round"], rows[-1]["validation"]["loss"])

    def _update(self, model: str, number: int, loss: float | None) -> None:
        self.progress.update(model, number, self.config.federation.rounds, loss=loss)
