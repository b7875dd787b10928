"""Progress a person can read: a bar per model in a terminal, a line now and then in a log file."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from shared_model.interruption import raise_if_pressed

LOG_SECONDS = 20.0  # between two lines of a log file


class RunProgress:
    """Rounds of every model in training, and steps of anything else that takes long."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._tasks: dict[str, TaskID] = {}
        self._done: dict[str, int] = {}
        self._started: dict[str, float] = {}
        self._logged = 0.0
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<24}"),
            BarColumn(bar_width=28),
            TextColumn("{task.completed:>4.0f}/{task.total:.0f} {task.fields[unit]}"),
            TextColumn("{task.fields[note]:<14}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> RunProgress:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def update(
        self, name: str, done: int, total: int, *, unit: str = "rounds", loss: float | None = None
    ) -> None:
        """`done` of `total` units of `name`; loss is the validation loss that belongs to it, if known.

        Raises KeyboardInterrupt where Ctrl-C was pressed and got lost.
        """
        raise_if_pressed()
        note = "" if loss is None else f"loss {loss:.3f}"
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(name, total=total, unit=unit, note=note)
            self._started[name] = time.monotonic()
        self._bars.update(self._tasks[name], completed=done, total=total, note=note)
        if not self.console.is_terminal and self._done.get(name) != done:
            self._log(name, done, total, unit, note)
        self._done[name] = done

    def say(self, text: str) -> None:
        """One line above the bars."""
        self.console.print(text, highlight=False)

    def _log(self, name: str, done: int, total: int, unit: str, note: str) -> None:
        now = time.monotonic()
        if done not in (0, total) and now - self._logged < LOG_SECONDS:
            return
        self._logged = now
        elapsed = now - self._started[name]
        left = f", {elapsed / done * (total - done):.0f} s left" if 0 < done < total else ""
        self.console.print(f"{name}: {done}/{total} {unit} {note}{left}", highlight=False)
