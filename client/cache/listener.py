"""Who hears what the trunk cache has to say: its size before it is built, how far it is, what was wrong with it.

A worker has no screen: a simulation lends it the one it shows rounds on, elsewhere it goes to the site's log.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

log = logging.getLogger(__name__)


class Listener(Protocol):
    """What shared_model.progress.RunProgress is."""

    def say(self, text: str) -> None:
        """One line."""

    def update(self, name: str, done: int, total: int, *, unit: str = ...) -> None:
        """`done` of `total` units of `name`."""


_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """`with heard_by(progress):` tells it there, and not the log."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def current() -> Listener | None:
    """Who hears it now; None where it goes to the log."""
    return _listener.get()


def tell(listener: Listener) -> None:
    """Tell it there from now on: for a process that does nothing else."""
    _listener.set(listener)


def announce(text: str) -> None:
    """What is about to be done."""
    if (hears := _listener.get()) is None:
        log.info("trunk cache: %s", text)
    else:
        hears.say(f"trunk cache: {text}")


def warn(text: str) -> None:
    """What could not be done, or was found wrong."""
    if (hears := _listener.get()) is None:
        log.warning("trunk cache: %s", text)
    else:
        hears.say(f"trunk cache: {text}")


def progress(done: int, total: int, unit: str) -> None:
    """How far a build is."""
    if (hears := _listener.get()) is not None:
        hears.update("trunk cache", done, total, unit=unit)
    elif done == total:
        log.info("trunk cache: %d %s computed", total, unit)
