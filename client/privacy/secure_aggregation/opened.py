"""Which rounds' sums a site has helped to open, so that it helps with none of them twice, and whose figures they held.

Two sums of one round that differ by one site would give that site's update away. So a round that was opened is over
here, also for a coordinator that says it lost the result, and also after a restart. Validation figures depend on the
model alone, which a coordinator may send twice under two numbers: so a site helps to open those of one list of sites in
a run, the first, and of no other.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from client.privacy.secure_aggregation.refused import RoundRefused
from shared_model.errors import DataError
from shared_model.secure_aggregation.session import VALIDATED, Round, names_of

NAME = "opened.json"  # in the worker's folder of a run


class OpenedRounds:
    """read, write: of the file that remembers; without them it is remembered as long as the process lives."""

    def __init__(
        self, read: Callable[[], bytes | None] = lambda: None, write: Callable[[bytes], None] | None = None
    ) -> None:
        self._read = read
        self._write = write
        self._known: dict[str, int] = {}
        self._validated: list[str] = []

    def require_closed(self, about: Round) -> None:
        """Raise RoundRefused for a round that was opened, or one before it."""
        self._load()
        if about.number <= self._known.get(about.question, -1):
            raise RoundRefused(
                f"round {about.number} ({about.question}) has been opened already",
                fix="a sum is opened once; the coordinator has to go on with the next round, or launch again",
            )

    def validated(self) -> list[str]:
        """The sites whose validation figures this site has helped to open; none before the first time."""
        self._load()
        return list(self._validated)

    def require_validating(self, site: str, asked: Sequence[str]) -> None:
        """Raise RoundRefused where `site` is asked for its validation figures among other sites than before."""
        if site in asked and self.validated() not in ([], list(asked)):
            raise RoundRefused("validation figures are asked for of other sites than before in this run")

    def openable(self, asked: Sequence[str], left: Sequence[str], least: int) -> list[str]:
        """Whose validation figures may be opened: of the sites asked for, in order, those that are left; nobody's where
        they are fewer than `least`, or not all that they were before.
        """
        found = [name for name in asked if name in left]
        return found if len(found) >= (len(asked) if self.validated() else least) else []

    def remember(self, about: Round, validated: Sequence[str] = ()) -> None:
        """The round is opened from now on; validated: whose validation figures with it, if any are."""
        self._load()
        self._known = self._known | {about.question: about.number}
        self._validated = list(validated) or self._validated
        if self._write is not None:
            document = {**self._known, VALIDATED: self._validated} if self._validated else self._known
            self._write(json.dumps(document).encode())

    def _load(self) -> None:
        content = self._read()
        if content is None:
            return
        try:
            found = json.loads(content)
            self._validated = names_of(found.pop(VALIDATED, []))
            self._known = {str(question): int(number) for question, number in found.items()}
        except (ValueError, TypeError, AttributeError):
            raise DataError(
                "what this site keeps of opened rounds is damaged",
                where=NAME,
                fix="restore the file from a backup",
            ) from None
