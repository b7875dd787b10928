"""How much is attacked: enough for figures that mean something, or so little that a test can wait for it."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Sizes:
    """planted: canaries that are patients, of which `guesses` are guessed. gradients: canaries that are gradients, at
    least; more where it takes more to refute what is promised. rounds: in which planted patients are trained on, at
    the budget of the whole run. search: steps of the search for a photograph. Guesses are fixed beforehand, as the
    bound needs them to be.
    """

    planted: int = 192
    guesses: int = 64
    rounds: int = 3
    gradients: int = 20_000
    search: int = 60

    def document(self) -> dict[str, int]:
        """For audit.json."""
        return asdict(self)


FULL = Sizes()
QUICK = Sizes(planted=48, guesses=32, rounds=2, gradients=2000, search=3)
