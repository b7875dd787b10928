"""The worker holds data, model and caches; everything that protects a patient happens in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from client.worker.worker import Worker

__all__ = ["Worker"]


def __getattr__(name: str) -> Any:
    """On first use: the gateway knows the calls of this folder, and has no business with torch or pandas."""
    if name == "Worker":
        from client.worker.worker import Worker

        return Worker
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
