"""How long a question waits for its answers.

Two limits, neither of them on the time that a round may take: once enough answers are there the others have a grace
time, and without any progress for long enough nobody waits. Progress is a usable answer, or bytes that move: a slow
line ends no round. What moves counts up to a few times what the round can need, so that a site cannot hold the
others up by sending a little for ever.
"""

from __future__ import annotations

import time
from collections.abc import Callable

LEAST_BYTES = 2**16  # fewer are no progress
MOVING = 30.0  # seconds after which bytes no longer move
ALLOWANCE = 4  # times what is expected to travel

Clock = Callable[[], float]


class Patience:
    """The clock of one question.

    enough: usable answers with which the round counts. grace, silence: seconds, 0 for none. expected: bytes that the
    question and its answers take; with 0, bytes count for nothing.
    """

    def __init__(
        self, enough: int, grace: float, silence: float, expected: int = 0, clock: Clock = time.monotonic
    ) -> None:
        self.usable = 0
        self._enough, self._grace, self._silence = enough, grace, silence
        self._clock = clock
        self._progress = clock()
        self._enough_since: float | None = None
        self._moved: int | None = None
        self._moved_at = -MOVING
        self._credit = ALLOWANCE * expected

    def used(self) -> None:
        """A usable answer has arrived."""
        self.usable += 1
        self._progress = self._clock()
        if self.usable >= self._enough and self._enough_since is None:
            self._enough_since = self._progress

    def require(self, enough: int) -> None:
        """From now on, so many usable answers are enough."""
        self._enough = enough
        if self.usable >= enough and self._enough_since is None:
            self._enough_since = self._clock()

    def moved(self, total: int) -> None:
        """What the transport says that it has moved so far, in bytes."""
        if self._moved is None or total < self._moved:  # the first look, or a counter that began anew
            self._moved = total
        elif total - self._moved >= LEAST_BYTES and self._credit > 0:
            self._credit -= total - self._moved
            self._moved = total
            self._progress = self._moved_at = self._clock()

    @property
    def satisfied(self) -> bool:
        """Whether enough usable answers are there."""
        return self.usable >= self._enough

    @property
    def over(self) -> bool:
        """Whether to wait no longer."""
        now = self._clock()
        if self._silence and now - self._progress >= self._silence:
            return True
        if not self._grace or self._enough_since is None:
            return False
        return now - self._enough_since >= self._grace and now - self._moved_at >= MOVING
