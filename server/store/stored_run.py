"""The folder of a deployed run, whose history, quarantine and participants stand in the database beside it.

What a round changed is on the disk before the next one begins: a process that is killed loses the unfinished round
and nothing else. Lines about such a round are taken back when the run goes on, but for the audit log, which tells
that it happened.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from server.store import audit
from server.store.database import Database, now
from server.store.ledger import participant
from server.store.run_folder import RunFolder
from shared_model.exchange.message_id import MESSAGE_ID


class StoredRun(RunFolder):
    """One run of a RunStore. plan: SHA-256 of its run plan."""

    def __init__(self, path: Path, database: Database, *, plan: str) -> None:
        super().__init__(path, resumable=True)
        self.run = path.name
        self._database = database
        self._plan = plan

    def append_history(self, row: dict[str, Any]) -> None:
        """One finished round."""
        line = json.dumps(row, allow_nan=False)
        with self._database.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO rounds VALUES (?, ?, ?)", (self.run, row["round"], line)
            )

    def history(self) -> list[dict[str, Any]]:
        """Every finished round so far."""
        rows = self._database.rows("SELECT line FROM rounds WHERE run = ? ORDER BY round", self.run)
        return [json.loads(row["line"]) for row in rows]

    def rewind(self, number: int) -> None:
        """Take back what was written after the checkpoint of round `number`."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM rounds WHERE run = ? AND round >= ?", (self.run, number))
            connection.execute("DELETE FROM participation WHERE run = ? AND round > ?", (self.run, number))
            connection.execute("UPDATE runs SET complete = ? WHERE run = ?", (number, self.run))

    def append_quarantine(self, row: dict[str, Any], *, absent: bool = False) -> None:
        """One update that was not used."""
        kind = "absent" if absent else "refused"
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO quarantine VALUES (?, ?, ?, ?, ?, ?)",
                (self.run, row["round"], row["site"], kind, row["reason"], now()),
            )
            self._tell(connection, kind, round=row["round"], site=row["site"], reason=row["reason"])

    def joined(self, sites: Collection[str]) -> None:
        """These sites joined at the beginning."""
        self.event("began", sites=sorted(sites))

    def joined_before(self) -> set[str]:
        """By the audit log, which no rewinding shortens."""
        begun = [line["detail"] for line in audit.lines(self._database, self.run) if line["event"] == "began"]
        return {site for detail in begun for site in detail["sites"]}

    def took_part(self, number: int, site: str, fields: Mapping[str, Any]) -> None:
        """The update of a site was used."""
        entry = participant(fields)
        with self._database.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO participation (run, round, site, examples, skipped, data, package, plan, "
                "epsilon, at, steps) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    self.run,
                    number,
                    site,
                    entry.examples,
                    entry.skipped,
                    entry.data,
                    entry.package,
                    self._plan,
                    entry.epsilon,
                    now(),
                    entry.steps,
                ),
            )
            named = {"id": fields[MESSAGE_ID]} if MESSAGE_ID in fields else {}
            named |= {"steps": entry.steps} if entry.steps is not None else {}
            self._tell(connection, "used", round=number, site=site, examples=entry.examples, **named)

    def round_complete(self, number: int) -> None:
        """Round `number` is in the model, and in the checkpoint."""
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE runs SET complete = ?, changed = ? WHERE run = ?", (number, now(), self.run)
            )
            self._tell(connection, "round complete", round=number)

    def event(self, what: str, **detail: Any) -> None:
        """A line of the audit log."""
        with self._database.writing() as connection:
            self._tell(connection, what, **detail)

    def suspend(self, site: str, number: int, reason: str) -> None:
        """The site is asked no more, in this run and later ones, until a person readmits it."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO suspensions VALUES (?, ?, ?, ?, ?, NULL)",
                (site, self.run, number, reason, now()),
            )
            self._tell(connection, "suspended", round=number, site=site, reason=reason)

    def suspended(self) -> list[str]:
        """Sites that no run may ask."""
        query = "SELECT DISTINCT site FROM suspensions WHERE readmitted IS NULL ORDER BY site"
        return [row["site"] for row in self._database.rows(query)]

    def readmitted(self) -> Iterable[str]:
        """Sites that a person has readmitted and nobody has suspended again."""
        query = "SELECT DISTINCT site FROM suspensions WHERE readmitted IS NOT NULL"
        away = set(self.suspended())
        return [row["site"] for row in self._database.rows(query) if row["site"] not in away]

    def stop_requested(self) -> bool:
        """Whether `fedfundus-coordinator stop` was called since the run was started."""
        return bool(self._database.rows("SELECT stop FROM runs WHERE run = ?", self.run)[0]["stop"])

    def left_out(self) -> set[str]:
        """Who gave no usable update, and why: "SITE: REASON"."""
        rows = self._database.rows("SELECT site, reason FROM quarantine WHERE run = ?", self.run)
        return {f"{row['site']}: {row['reason']}" for row in rows}

    def discard_model(self) -> None:
        """Keep nothing of what was trained."""
        if self.checkpoints is not None:
            self.checkpoints.clear()
        for path in self.path.glob("*.safetensors"):
            path.unlink()

    def _tell(self, connection: sqlite3.Connection, what: str, **detail: Any) -> None:
        audit.append(connection, self.run, what, detail)
