"""What the sites and the coordinator must agree on: model, losses, records, tensors that travel, metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared_model.offline import switch_off_what_calls_home

if TYPE_CHECKING:
    from shared_model.config import load_config
    from shared_model.model import build_model

switch_off_what_calls_home()

__all__ = ["build_model", "load_config"]


def __getattr__(name: str) -> Any:
    """Both on first use: importing torch takes seconds that `--help` need not wait for."""
    if name == "build_model":
        from shared_model.model import build_model

        return build_model
    if name == "load_config":
        from shared_model.config import load_config

        return load_config
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
