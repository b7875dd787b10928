"""Nothing calls home: telemetry, update checks, run-time installation and downloads are switched off at start-up."""

from __future__ import annotations

import os

SETTINGS = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


def switch_off_what_calls_home() -> None:
    """Set the environment of this process and its children; must run before Flower, Ray or the hub is imported."""
    os.environ.update(SETTINGS)
