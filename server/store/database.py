"""The run store's database: SQLite with a write-ahead log, so that `status` reads while a run writes.

Rows that say what happened are only ever added. The audit table refuses changes by itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from server.errors import Code, CoordinatorError
from shared_model.files import naming_disk_errors

FILE = "runs.sqlite"
_PATIENCE = 30.0  # seconds that a writer waits for another
_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
  run TEXT PRIMARY KEY, federation TEXT NOT NULL, created TEXT NOT NULL, state TEXT NOT NULL, rounds INTEGER NOT NULL,
  complete INTEGER NOT NULL DEFAULT 0, canary INTEGER NOT NULL, config_sha256 TEXT NOT NULL, plan_sha256 TEXT NOT NULL,
  version TEXT NOT NULL, code TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '',
  stop INTEGER NOT NULL DEFAULT 0, changed TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS rounds (
  run TEXT NOT NULL, round INTEGER NOT NULL, line TEXT NOT NULL, PRIMARY KEY (run, round));
CREATE TABLE IF NOT EXISTS quarantine (
  run TEXT NOT NULL, round INTEGER NOT NULL, site TEXT NOT NULL, kind TEXT NOT NULL, reason TEXT NOT NULL,
  at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS participation (
  run TEXT NOT NULL, round INTEGER NOT NULL, site TEXT NOT NULL, examples INTEGER NOT NULL, skipped INTEGER,
  data TEXT, package TEXT, plan TEXT, epsilon REAL, at TEXT NOT NULL, steps INTEGER,
  PRIMARY KEY (run, round, site));
CREATE TABLE IF NOT EXISTS suspensions (
  site TEXT NOT NULL, run TEXT NOT NULL, round INTEGER NOT NULL, reason TEXT NOT NULL, at TEXT NOT NULL,
  readmitted TEXT);
CREATE TABLE IF NOT EXISTS exports (
  run TEXT NOT NULL, at TEXT NOT NULL, weights TEXT NOT NULL, sha256 TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS audit (
  seq INTEGER PRIMARY KEY, at TEXT NOT NULL, run TEXT NOT NULL, event TEXT NOT NULL, detail TEXT NOT NULL,
  previous TEXT NOT NULL, digest TEXT NOT NULL);
CREATE TRIGGER IF NOT EXISTS audit_keeps_lines BEFORE DELETE ON audit
  BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
CREATE TRIGGER IF NOT EXISTS audit_keeps_words BEFORE UPDATE ON audit
  BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
"""


class Database:
    """The database in `folder`, made if there is none (files 0600). Raises CoordinatorError where it is damaged."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        with naming_disk_errors(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.touch(mode=0o600)
        with self._named():
            self._connection = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
            self._connection.row_factory = sqlite3.Row
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.executescript(_SCHEMA)
            self._add_steps()

    def _add_steps(self) -> None:
        """A record of runs that was begun before sites told how many steps they took goes on being read."""
        columns = {row["name"] for row in self._connection.execute("PRAGMA table_info(participation)")}
        if "steps" not in columns:
            with suppress(sqlite3.OperationalError):  # another process has added it meanwhile
                self._connection.execute("ALTER TABLE participation ADD COLUMN steps INTEGER")

    def rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        """Every row of a query."""
        with self._named():
            return self._connection.execute(query, values).fetchall()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it is written, or nothing. Must not be opened within another."""
        with self._named():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            full = "full" in str(error) or "disk I/O" in str(error)
            raise CoordinatorError(
                Code.DAMAGED_STORE,
                "the record of runs cannot be read or written" + (": the disk is full" if full else ""),
                where=f"{self.path} ({error})",
                fix="free some space, then resume"
                if full
                else "see who else uses the file; else restore it from a backup",
            ) from None


def now() -> str:
    """ISO 8601 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
