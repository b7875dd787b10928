"""How the mean of a round's updates becomes the next model."""

from server.strategies.flower_bridge import ServerStrategy

__all__ = ["ServerStrategy"]
