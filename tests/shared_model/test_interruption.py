"""Ctrl-C ends a command even where the exception that it raises is swallowed."""

import os
import signal
from collections.abc import Iterator

import pytest
from rich.console import Console

from shared_model import interruption
from shared_model.progress import RunProgress


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    interruption.listen()
    yield
    signal.signal(signal.SIGINT, before)
    interruption._terminal.pressed = False


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_it_raises_at_once_as_always() -> None:
    with pytest.raises(KeyboardInterrupt):
        press()


def test_what_was_swallowed_is_raised_where_progress_is_told_and_only_once() -> None:
    progress = RunProgress(Console(quiet=True))
    progress.update("federated", 1, 5)
    with pytest.raises(KeyboardInterrupt):  # stands for the destructor or import that drops it
        press()
    with pytest.raises(KeyboardInterrupt):
        progress.update("federated", 2, 5)
    progress.update("federated", 3, 5)
