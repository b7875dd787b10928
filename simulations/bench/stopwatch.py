"""Seconds spent in named functions of a run, without touching them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

Watched = tuple[Any, str, str]  # a module or class, the name of a function in it, what its seconds count as


@contextmanager
def stopwatch(watched: Iterable[Watched]) -> Iterator[dict[str, float]]:
    """Label -> seconds so far inside its functions; what one calls of another is counted by the outer alone."""
    clock: dict[str, float] = {}
    inside = False

    def timed(original: Callable[..., Any], label: str) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            nonlocal inside
            if inside:
                return original(*given, **named)
            inside, started = True, time.perf_counter()
            try:
                return original(*given, **named)
            finally:
                inside = False
                clock[label] += time.perf_counter() - started

        return call

    with ExitStack() as stack:
        for owner, name, label in watched:
            clock[label] = 0.0
            stack.enter_context(patch.object(owner, name, timed(getattr(owner, name), label)))
        yield clock
