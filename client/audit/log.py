"""The site's audit log: every answer by its id, every refusal, and every decision of the operator, chained.

A line is on the disk before the answer it tells of leaves. The id of an answer is the SHA-256 of its content, which
the coordinator writes into its own log as the answer arrives (shared_model.exchange.message_id). No line is about a
patient; it lies sealed with the rest of the state all the same, since it says what was answered when. The whole chain
is checked before a process's first line, by the command, and whenever somebody else has written; lines after that cost
the same however long the log is.
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
        self._journal = state.journal(AUDIT, durable=True)
        self._last: dict[str, Any] | None = None  # as this object saw it

    def append(self, event: str, **detail: str | int) -> None:
        """Add a line; when this returns, it is on the disk. The same as the last one, it is not added again.

        Raises DataError where the log was altered, RunError where the disk refuses; then nothing may leave.
        """
        with self._alone():
            if not self._journal.untouched():
                self._last = self._checked()
            last = self._last
            if last is not None and (last["event"], last["detail"]) == (event, detail):
                return  # a question that is refused again and again must not fill the disk
            line: dict[str, Any] = {
                "seq": last["seq"] + 1 if last is not None else 1,
                "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "event": event,
                "detail": detail,
                "previous": last["digest"] if last is not None else "",
            }
            line["digest"] = line_digest(line)
            with self._journal as journal:
                journal.append(json.dumps(line).encode())
            self._last = line

    def check(self) -> None:
        """Read the whole log. Raises DataError where it was altered."""
        with self._alone():
            self._last = self._checked()

    def _checked(self) -> dict[str, Any] | None:
        """The last line of a log that is whole, and still holds the line that was the last before."""
        seen, last = self._last, None
        for last in self.lines():
            if seen is not None and last["seq"] == seen["seq"] and last["digest"] == seen["digest"]:
                seen = None
        if seen is not None:
            raise self._altered(seen["seq"])
        return last

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
                raise self._altered(number)
            previous = line["digest"]
            yield line

    def _altered(self, number: int) -> DataError:
        return DataError(
            f"the audit log was altered at line {number}",
            where=str(self._state.path(AUDIT)),
            fix="compare it with a backup and with the coordinator's log, and find out who wrote to it",
        )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        path = self._state.path(f"{AUDIT}.lock")
        with naming_disk_errors(path):
            path.touch(mode=0o600)
        with path.open("rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
