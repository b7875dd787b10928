"""Which rounds' sums a site has helped to open, so that it helps with none of them twice.

Two sums of one round that differ by one site would give that site's update away. So a round that was opened is over
here, also for a coordinator that says it lost the result, and also after a restart.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from client.privacy.secure_aggregation.refused import RoundRefused
from shared_model.errors import DataError
from shared_model.secure_aggregation.session import Round

NAME = "opened.json"  # in the worker's folder of a run


class OpenedRounds:
    """read, write: of the file that remembers; without them it is remembered as long as the process lives."""

    def __init__(
        self, read: Callable[[], bytes | None] = lambda: None, write: Callable[[bytes], None] | None = None
    ) -> None:
        self._read = read
        self._write = write
        self._known: dict[str, int] = {}

    def require_closed(self, about: Round) -> None:
        """Raise RoundRefused for a round that was opened, or one before it."""
        if about.number <= self._last().get(about.question, -1):
            raise RoundRefused(
                f"round {about.number} ({about.question}) has been opened already",
                fix="a sum is opened once; the coordinator has to go on with the next round, or launch again",
            )

    def remember(self, about: Round) -> None:
        """The round is opened from now on."""
        self._known = self._last() | {about.question: about.number}
        if self._write is not None:
            self._write(json.dumps(self._known).encode())

    def _last(self) -> dict[str, int]:
        content = self._read()
        if content is None:
            return self._known
        try:
            return {str(question): int(number) for question, number in json.loads(content).items()}
        except (ValueError, TypeError, AttributeError):
            raise DataError(
                "what this site keeps of opened rounds is damaged",
                where=NAME,
                fix="restore the file from a backup",
            ) from None
