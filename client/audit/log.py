"""The site's audit log: every answer by its id, every refusal, and every decision of the operator, chained.

A line is on the disk before the answer it tells of leaves. The id of an answer is the SHA-256 of its content, which
the coordinator writes into its own log as the answer arrives (shared_model.exchange.message_id). No line is about a
patient; it lies sealed with the rest of the state all the same, since it says what was answered when.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from client.site.contents import AUDIT
from client.site.state import SiteState
from shared_model.audit_line import line_digest
from shared_model.errors import DataError
from shared_model.files import naming_disk_errors

_KEYS = {"seq", "at", "event", "detail", "previous", "digest"}


class AuditLog:
    """The log of one site. Any process of the site may add to it; they wait for each other."""

    def __init__(self, state: SiteState) -> None:
        self._state = state

    def append(self, event: str, **detail: str | int) -> None:
        """Add a line; when this returns, it is on the disk. The same as the last one, it is not added again.

        Raises DataError where the log was altered, RunError where the disk refuses; then nothing may leave.
        """
        with self._alone(), self._state.journal(AUDIT, durable=True) as journal:
            before = list(self.lines())
            last = before[-1] if before else None
            if last is not None and (last["event"], last["detail"]) == (event, detail):
                return  # a question that is refused again and again must not fill the disk
            line: dict[str, Any] = {
                "seq": len(before) + 1,
                "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "event": event,
                "detail": detail,
                "previous": last["digest"] if last is not None else "",
            }
            journal.append(json.dumps(line | {"digest": line_digest(line)}).encode())

    def lines(self) -> Iterator[dict[str, Any]]:
        """Every line, oldest first. Raises DataError naming the first that is not as it was written."""
        previous = ""
        for number, content in enumerate(self._state.journal(AUDIT).records(), start=1):
            try:
                line = dict(json.loads(content))
                sound = line.keys() == _KEYS and line["previous"] == previous and line["seq"] == number
                sound = sound and line["digest"] == line_digest(
                    {name: value for name, value in line.items() if name != "digest"}
                )
            except (ValueError, TypeError):
                sound = False
            if not sound:
                raise DataError(
                    f"the audit log was altered at line {number}",
                    where=str(self._state.path(AUDIT)),
                    fix="compare it with a backup and with the coordinator's log, and find out who wrote to it",
                )
            previous = line["digest"]
            yield line

    @contextmanager
    def _alone(self) -> Iterator[None]:
        path = self._state.path(f"{AUDIT}.lock")
        with naming_disk_errors(path):
            path.touch(mode=0o600)
        with path.open("rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
