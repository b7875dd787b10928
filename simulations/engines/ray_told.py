"""What Ray's processes have to say of the trunk cache, heard here: they have no screen, and may be on other machines.

They leave it with one small actor of the cluster, which this process asks twice a second. What is said in lines is
left before a site answers, so that nothing is lost when the run ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from threading import Event, Lock, Thread
from typing import Any

import ray
from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from client.cache.listener import Listener, heard_by

LOOK_EVERY = 0.5  # seconds
PATIENCE = 10.0  # seconds, for the actor's answer

Step = tuple[str, int, int, str]  # name, done, total, unit


class Board:
    """Lines, and how far each thing is; taken by whoever asks."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._steps: dict[str, Step] = {}

    def say(self, text: str) -> None:
        """One line."""
        self._lines.append(text)

    def update(self, step: Step) -> None:
        """The last step of a name is what counts."""
        self._steps[step[0] + step[3]] = step

    def take(self) -> tuple[list[str], list[Step]]:
        """What is new since the last time."""
        found = self._lines, list(self._steps.values())
        self._lines, self._steps = [], {}
        return found


class Pen:
    """A client.cache.listener.Listener that writes on the board."""

    def __init__(self, board: Any) -> None:
        self._board = board

    def say(self, text: str) -> None:
        """One line, which is on the board when this returns."""
        with suppress(ray.exceptions.RayError):  # without its actor a run trains on unheard
            ray.get(self._board.say.remote(text), timeout=PATIENCE)

    def update(self, name: str, done: int, total: int, *, unit: str = "") -> None:
        """`done` of `total` units of `name`."""
        with suppress(ray.exceptions.RayError):
            self._board.update.remote((name, done, total, unit))


class TellingApp(ClientApp):
    """Our ClientApp as Ray's processes get it: it imports the installed one, and tells the board of its cache."""

    def __init__(self, board: Any) -> None:
        super().__init__()
        self._board = board

    def __call__(self, message: Message, context: Context) -> Message:
        """The installed ClientApp's answer."""
        from client.app import app

        with heard_by(Pen(self._board)) if self._board is not None else nullcontext():
            return app(message, context)


class Telling:
    """Passes on to `hears` what is on the board, until `end`. board: None where nobody listens."""

    def __init__(self, hears: Listener | None) -> None:
        self._hears = hears
        self.board: Any = ray.remote(num_cpus=0)(Board).remote() if hears is not None else None
        self._lock, self._over = Lock(), Event()
        self._thread = Thread(target=self._follow, daemon=True)
        if hears is not None:
            self._thread.start()

    def end(self) -> None:
        """Pass on what is left, while Ray still runs; nothing is asked afterwards."""
        self._over.set()
        if self._hears is not None:
            self._thread.join(2 * PATIENCE)
            self._look()
            self._hears = None

    def _follow(self) -> None:
        while not self._over.wait(LOOK_EVERY):
            self._look()

    def _look(self) -> None:
        with self._lock:
            if self._hears is None or not ray.is_initialized():  # asking would start another Ray
                return
            with suppress(ray.exceptions.RayError):
                lines, steps = ray.get(self.board.take.remote(), timeout=PATIENCE)
                for line in lines:
                    self._hears.say(line)
                for name, done, total, unit in steps:
                    self._hears.update(name, done, total, unit=unit)


@contextmanager
def told(hears: Listener | None) -> Iterator[Telling]:
    """What is said in Ray's processes while the block runs is passed on to `hears`. Needs a Ray that runs."""
    telling = Telling(hears)
    try:
        yield telling
    finally:
        telling.end()
