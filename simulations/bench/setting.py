"""What a benchmark is told: how large to measure, where to put its files, and how to say how far it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from simulations.synthesis.dataset import synthesize


@dataclass(frozen=True)
class Setting:
    """full: full-size models and data; otherwise a benchmark takes seconds to a minute on two idle cores.

    folder: of this bench, shared by its benchmarks and removed when it ends, however it ends. say: one line of
    progress, on standard error.
    """

    full: bool
    folder: Path
    say: Callable[[str], None] = lambda line: None

    @property
    def repeats(self) -> int:
        """How often what is short enough is repeated, for its spread."""
        return 5 if self.full else 3

    def drawn(self, patients: int) -> Path:
        """A BRSET-shaped data set of so many patients, drawn once a bench."""
        data = self.folder / f"data-{patients}"
        if not data.exists():
            self.say(f"drawing {patients} patients")
            synthesize(data, patients=patients, seed=0)
        return data
