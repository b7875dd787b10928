"""Experiments in processes of their own, as many at once as there are cores; each is whole or is not there.

A model that fails is told of, and the others go on; Ctrl-C ends all that are under way and keeps what is finished.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from client.cache.listener import heard_by
from client.cache.relay import relayed, speak_through
from client.worker.simulated import forget_workers
from server.store import RunFolder
from shared_model.errors import FedFundusError, RunError
from shared_model.progress import RunProgress
from simulations.experiments.carry_out import carry_out
from simulations.experiments.experiment import Experiment
from simulations.experiments.results import Result, read_result
from simulations.processes import ctrl_c_for_the_parent_alone, stop_children

POLL_SECONDS = 1.0
MODELS = "models"  # the bar of all
Folders = Mapping[Experiment, Path]


def carry_out_all(folders: Folders, jobs: int, progress: RunProgress) -> dict[Experiment, Result]:
    """Carry out the experiments laid out in these folders, in their order, `jobs` at a time."""
    if min(jobs, len(folders)) < 2:
        return _one_by_one(folders, progress)
    context = multiprocessing.get_context("spawn")
    # A process a model: nothing of another one's stays in memory, and its peak is its own.
    with (
        relayed(progress) as channel,
        ProcessPoolExecutor(
            jobs, context, initializer=speak_through, initargs=(channel,), max_tasks_per_child=1
        ) as pool,
    ):
        with ctrl_c_for_the_parent_alone():
            running = {pool.submit(carry_out, one, folder): one for one, folder in folders.items()}
        try:
            return _wait(running, folders, progress)
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            stop_children()
            if isinstance(error, BrokenProcessPool):
                raise RunError(
                    "a process that trained a model was ended from outside, most likely for lack of memory",
                    where="simulations",
                    fix="run it again, with --set runtime.jobs=1 or a smaller training.batch_size: what is "
                    "finished is kept",
                ) from None
            raise


def _one_by_one(folders: Folders, progress: RunProgress) -> dict[Experiment, Result]:
    found: dict[Experiment, Result] = {}
    for number, (one, folder) in enumerate(folders.items()):
        progress.update(MODELS, number, len(folders), unit="trained")
        progress.say(f"training {one.label}")
        try:
            with heard_by(progress):
                carry_out(one, folder)
            found[one] = _finished(folder)
        except FedFundusError as error:
            found[one] = _failed(one, folder, error, progress)
        finally:
            forget_workers()
        progress.update(MODELS, number + 1, len(folders), unit="trained")
    return found


def _wait(
    running: Mapping[Future[None], Experiment], folders: Folders, progress: RunProgress
) -> dict[Experiment, Result]:
    found: dict[Experiment, Result] = {}
    left = set(running)
    progress.update(MODELS, 0, len(running), unit="trained")
    while left:
        done, left = wait(left, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
        for future in done:
            one = running[future]
            error = future.exception()
            if error is not None and not isinstance(error, FedFundusError):
                raise error
            folder = folders[one]
            found[one] = _failed(one, folder, error, progress) if error else _finished(folder)
            progress.update(MODELS, len(found), len(running), unit="trained")
        for future in left:
            if future.running():
                _show_rounds(running[future], folders[running[future]], progress)
    return {one: found[one] for one in folders}


def _show_rounds(one: Experiment, folder: Path, progress: RunProgress) -> None:
    rows = RunFolder(folder).history()
    if rows:
        last = rows[-1]
        progress.update(
            one.label, last["round"], one.config.federation.rounds, loss=last["validation"]["loss"]
        )


def _finished(folder: Path) -> Result:
    found = read_result(folder)
    if found is None:
        raise RunError("a model's result is not there", where=str(folder), fix="run it again")
    return found


def _failed(one: Experiment, folder: Path, error: FedFundusError, progress: RunProgress) -> Result:
    progress.say(f"{one.label} failed: {error.what}")
    return Result.of_failure(error, folder)
