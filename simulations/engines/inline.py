"""The inline engine: our ServerApp and ClientApp in this process (simulations.engines.grid)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from client.app import app as client_app
from server.app import make_app
from server.history import RoundRecord
from simulations.engines.grid import run_apps


def run_inline(folder: Path, sites: int, on_round: Callable[[RoundRecord], None]) -> None:
    """One federated run in this process; `folder` holds its configuration and receives its results."""
    run_apps(make_app(on_round), client_app, sites, {"run-folder": str(folder)})
