"""Carrying a stored run out: what its record says at the end is what happened, whatever that was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from server.errors import Code, CoordinatorError, RunStopped
from server.evaluation.asking import judge
from server.federation import fewest_sites, run_federation
from server.gathering import wait_for_sites
from server.history import RoundRecord
from server.moved import Moved
from server.sites import Sites
from server.store.database import FILE
from server.store.runs import RUNS, RunStore
from server.store.stored_run import StoredRun
from shared_model.config import Config
from shared_model.errors import FedFundusError

DEPLOYED_GRACE, DEPLOYED_SILENCE = 1800.0, 14400.0  # seconds, of a launched run that sets none


def deployed(config: Config) -> Config:
    """The configuration of a run whose sites may keep others waiting."""
    federation = config.federation
    limits = {
        "grace": federation.grace or DEPLOYED_GRACE,
        "silence": federation.silence or DEPLOYED_SILENCE,
    }
    return config.model_copy(update={"federation": federation.model_copy(update=limits)})


def canary(config: Config) -> Config:
    """The same as one round, to see that every site can."""
    return config.model_copy(update={"federation": config.federation.model_copy(update={"rounds": 1})})


def is_stored(folder: Path) -> bool:
    """Whether a run's folder belongs to a RunStore."""
    return folder.parent.name == RUNS and (folder.parent.parent / FILE).is_file()


def execute(
    store: RunStore,
    run: str,
    sites: Sites,
    on_round: Callable[[RoundRecord], None] = lambda record: None,
    wire: Callable[[], Moved | None] = lambda: None,
) -> None:
    """Start the run, or go on after its last complete round; then have the sites judge the finished model.

    wire: what the transport has carried so far, for the rounds' records, None where nothing can tell.
    Raises what ended it, having written it down.
    """
    config, folder = store.config(run), store.open(run)
    with store.locked(run):
        row = store.row(run)
        if row.state == "finished":
            raise CoordinatorError(
                Code.NOTHING_TO_RESUME,
                "the run is finished",
                where=run,
                fix="fedfundus-coordinator export gives its model",
            )
        store.set_state(run, "running")
        with _end_written_down(store, run):
            wait_for_sites(sites, folder, fewest_sites(config), config.federation.silence)
            roster = run_federation(sites, config, folder, on_round=on_round, resume=True, wire=wire)
            if not row.canary:
                judge(sites, roster, config, folder)
        if row.canary:
            _close_canary(store, run, folder)
        store.set_state(run, "finished")


@contextmanager
def _end_written_down(store: RunStore, run: str) -> Iterator[None]:
    """Whatever ends the block ends the run, and is raised again."""
    try:
        yield
    except RunStopped as error:
        store.set_state(run, "stopped", code=error.code.value, reason=error.what)
        raise
    except FedFundusError as error:
        code = error.code.value if isinstance(error, CoordinatorError) else ""
        store.set_state(run, "failed", code=code, reason=error.what)
        raise
    except BaseException as error:  # not ours: its text may hold anything
        store.set_state(run, "failed", reason=f"ended by {type(error).__name__}")
        raise


def _close_canary(store: RunStore, run: str, folder: StoredRun) -> None:
    """Keep nothing; a canary that a site did not survive has failed, quorum or not."""
    folder.discard_model()
    failed = sorted(folder.left_out())
    if failed:
        error = CoordinatorError(
            Code.CANARY,
            f"the canary: {'; '.join(failed)}",
            where=run,
            fix="mend what those sites say, then launch another canary",
        )
        store.set_state(run, "failed", code=error.code.value, reason=error.what)
        raise error
