"""The audit log: every line holds the SHA-256 of the line before, so that none can be changed, moved or taken out.

Whoever can write the file can write a whole new chain: the log proves something only against a digest that was told
to somebody else. Each export names the last one, and so does `status`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from server.errors import Code, CoordinatorError
from server.store.database import Database, now
from shared_model.audit_line import line_digest


def append(connection: sqlite3.Connection, run: str, event: str, detail: Mapping[str, Any]) -> None:
    """Add a line, in the transaction of what it tells."""
    last = connection.execute("SELECT seq, digest FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
    line = {
        "seq": last["seq"] + 1 if last else 1,
        "at": now(),
        "run": run,
        "event": event,
        "detail": json.dumps(detail, sort_keys=True, allow_nan=False),
        "previous": last["digest"] if last else "",
    }
    connection.execute(
        "INSERT INTO audit (seq, at, run, event, detail, previous, digest) "
        "VALUES (:seq, :at, :run, :event, :detail, :previous, :digest)",
        {**line, "digest": line_digest(line)},
    )


def head(database: Database) -> str:
    """The digest of the last line, having looked at every line; "" for an empty log.

    Raises CoordinatorError naming the first line that is not as it was written.
    """
    previous = ""
    for number, row in enumerate(database.rows("SELECT * FROM audit ORDER BY seq"), start=1):
        line = dict(row)
        digest = line.pop("digest")
        if line["seq"] != number or line["previous"] != previous or line_digest(line) != digest:
            raise CoordinatorError(
                Code.ALTERED_AUDIT,
                f"the audit log was altered at line {number}",
                where=str(database.path),
                fix="compare it with a backup, and find out who wrote to it",
            )
        previous = digest
    return previous


def lines(database: Database, run: str = "") -> Iterable[dict[str, Any]]:
    """Every line, or those of one run, oldest first."""
    for row in database.rows("SELECT * FROM audit WHERE run = ? OR ? = '' ORDER BY seq", run, run):
        yield {**dict(row), "detail": json.loads(row["detail"])}
