"""Ctrl-C that is not lost: Python raises it wherever it happens to be, and some places swallow what is raised there.

An exception inside an import of compiled code, a destructor or a callback is printed or dropped, and the command goes
on as if nobody had pressed anything. So the press is remembered, and raised again where the command next looks.
"""

from __future__ import annotations

import signal
from types import SimpleNamespace
from typing import Any

_terminal = SimpleNamespace(pressed=False)  # a process has one


def listen() -> None:
    """Remember Ctrl-C from now on; it raises KeyboardInterrupt as before."""
    signal.signal(signal.SIGINT, _press)


def raise_if_pressed() -> None:
    """Raise KeyboardInterrupt if Ctrl-C was pressed and got lost."""
    if _terminal.pressed:
        _terminal.pressed = False
        raise KeyboardInterrupt


def _press(number: int, frame: Any) -> None:
    _terminal.pressed = True
    raise KeyboardInterrupt
