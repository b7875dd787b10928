"""All runs of one coordinator: a folder each, and one database of what happened in them.

STORE/runs.sqlite            states, history, quarantine, participants, audit log
STORE/runs/RUN/              config.toml, plan.json, statistics, weights, checkpoints
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from server.errors import Code, CoordinatorError
from server.store import audit
from server.store.database import FILE, Database, now
from server.store.run_lock import is_locked, lock
from server.store.stored_run import StoredRun
from shared_model.config import Config, to_toml
from shared_model.config.load import from_toml
from shared_model.errors import ConfigError
from shared_model.files import naming_disk_errors, write_text
from shared_model.run_plan import SignedPlan
from shared_model.version import PACKAGE_VERSION

State = Literal["created", "submitted", "running", "finished", "stopped", "failed", "interrupted"]
RUNS, LOCK, CONFIG, PLAN = "runs", "lock", "config.toml", "plan.json"
START_SECONDS = 900.0  # after which a run that was submitted should have begun
NEVER_STARTED = "Flower took the run and never started it"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


@dataclass(frozen=True)
class RunRow:
    """state: `interrupted` where a run's process ended without a word, `failed` where Flower never started it.
    complete: rounds in the model. code, reason: why it failed.
    """

    run: str
    federation: str
    created: str
    state: State
    rounds: int
    complete: int
    canary: bool
    config_sha256: str
    plan_sha256: str
    version: str
    code: str
    reason: str
    changed: str


class RunStore:
    """The store in `folder`. Raises CoordinatorError where it is damaged."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = Database(folder)

    @classmethod
    def existing(cls, folder: Path) -> RunStore:
        """The store in `folder`. Raises CoordinatorError where there is none."""
        if not (folder / FILE).is_file():
            raise CoordinatorError(
                Code.NO_RUN,
                "there is no record of runs here",
                where=str(folder),
                fix="give the folder of earlier launches with --store, or launch a run",
            )
        return cls(folder)

    def create(
        self, run: str, config: Config, *, federation: str, canary: bool, plan: SignedPlan | None
    ) -> None:
        """A new run, not started yet. Raises ConfigError for a name that is taken or not one."""
        place = self._place(run)
        if place.exists() or self.database.rows("SELECT run FROM runs WHERE run = ?", run):
            raise ConfigError("there is a run of this name", where=run, fix="give another with --name")
        toml = to_toml(config)
        partial = place.with_name(f".{run}.partial")
        with naming_disk_errors(place):
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(mode=0o700, parents=True)
            write_text(partial / CONFIG, toml)
            if plan is not None:
                write_text(partial / PLAN, json.dumps(plan.to_field()))
            partial.replace(place)
        sha256 = hashlib.sha256(toml.encode()).hexdigest()
        plan_sha256 = plan.sha256 if plan is not None else ""
        with self.database.writing() as connection:
            connection.execute(
                "INSERT INTO runs (run, federation, created, state, rounds, canary, config_sha256, plan_sha256, "
                "version, changed) VALUES (?, ?, ?, 'created', ?, ?, ?, ?, ?, ?)",
                (
                    run,
                    federation,
                    now(),
                    config.federation.rounds,
                    canary,
                    sha256,
                    plan_sha256,
                    PACKAGE_VERSION,
                    now(),
                ),
            )
            audit.append(
                connection,
                run,
                "created",
                {"config": sha256, "plan": plan_sha256, "version": PACKAGE_VERSION},
            )

    def rows(self) -> list[RunRow]:
        """Every run, oldest first."""
        names = self.database.rows("SELECT run FROM runs ORDER BY created, run")
        return [self.row(name["run"]) for name in names]

    def row(self, run: str) -> RunRow:
        """One run. Raises CoordinatorError where there is none of that name."""
        found = self.database.rows("SELECT * FROM runs WHERE run = ?", run)
        if not found:
            known = [row["run"] for row in self.database.rows("SELECT run FROM runs ORDER BY created")]
            raise CoordinatorError(
                Code.NO_RUN,
                "there is no run of this name",
                where=run,
                fix=f"one of: {', '.join(known[-5:])}" if known else "launch one",
            )
        values = {name: found[0][name] for name in RunRow.__dataclass_fields__}
        if values["state"] == "running" and not is_locked(self._place(run) / LOCK):
            values["state"] = "interrupted"
        if values["state"] == "submitted" and _seconds_since(values["changed"]) > START_SECONDS:
            # Told and not written down: a run that begins after all is a running one.
            values |= {"state": "failed", "code": Code.NOT_STARTED.value, "reason": NEVER_STARTED}
        return RunRow(**{**values, "canary": bool(values["canary"])})

    def open(self, run: str) -> StoredRun:
        """The run's folder and its part of the database."""
        return StoredRun(self._place(run), self.database, plan=self.row(run).plan_sha256)

    def config(self, run: str) -> Config:
        """What the run was launched with. Raises CoordinatorError where the file is missing, or was changed since."""
        row, path = self.row(run), self._place(run) / CONFIG
        try:
            changed = hashlib.sha256(path.read_bytes()).hexdigest() != row.config_sha256
        except OSError as error:
            raise _no_configuration(path, f"cannot be read: {error.strerror}") from None
        if changed:
            raise _no_configuration(path, "is not the one that it was launched with")
        return from_toml(path)

    def set_state(self, run: str, state: State, *, code: str = "", reason: str = "") -> None:
        """Where the run stands, from now on. Starting forgets an earlier request to stop."""
        with self.database.writing() as connection:
            connection.execute(
                "UPDATE runs SET state = ?, code = ?, reason = ?, changed = ?, stop = 0 WHERE run = ?",
                (state, code, reason, now(), run),
            )
            told = {"code": code, "reason": reason} if reason else {}
            audit.append(connection, run, state, told)

    def ask_to_stop(self, run: str) -> None:
        """The run ends before its next round, or while it waits for sites."""
        with self.database.writing() as connection:
            connection.execute("UPDATE runs SET stop = 1 WHERE run = ?", (run,))
            audit.append(connection, run, "stop requested", {})

    @contextmanager
    def locked(self, run: str) -> Iterator[None]:
        """Held by the one process that runs it. Raises CoordinatorError where another does."""
        with lock(self._place(run) / LOCK) as held:
            if not held:
                raise CoordinatorError(
                    Code.RUNNING,
                    "the run is under way",
                    where=run,
                    fix="fedfundus-coordinator status shows it, stop ends it after its round",
                )
            yield

    def _place(self, run: str) -> Path:
        if not _NAME.fullmatch(run):
            raise ConfigError(
                f"{run!r:.50} cannot be a run's name",
                where="RUN",
                fix="use letters, digits, hyphens and underscores, beginning with a letter or digit",
            )
        return self.folder / RUNS / run


def _no_configuration(path: Path, why: str) -> CoordinatorError:
    return CoordinatorError(
        Code.NO_CONFIGURATION,
        f"the run's configuration {why}",
        where=str(path),
        fix="put the file back from a backup; another configuration is another run",
    )


def _seconds_since(when: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(when)).total_seconds()
