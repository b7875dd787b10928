"""Which nodes SuperLink was told, beside its own state: key to number, so that a number can be called by its site."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from shared_model.files import write_text

FOLDER = "services"  # in the store
_FILE = "nodes.json"


def told_nodes(folder: Path) -> dict[str, str]:
    """Line of the node's public key, which ends with its site's name -> Flower's number of it."""
    try:
        found: dict[str, str] = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        return found
    except (OSError, ValueError):
        return {}


def keep_told(folder: Path, nodes: Mapping[str, str]) -> None:
    """Write down what SuperLink was told."""
    write_text(folder / _FILE, json.dumps(nodes, indent=1))


def forget_nodes(folder: Path) -> None:
    """What was told is gone with SuperLink's state."""
    (folder / _FILE).unlink(missing_ok=True)


def site_of_node(folder: Path) -> dict[str, str]:
    """Flower's number of a node -> the site it is of."""
    return {number: key.split()[-1] for key, number in told_nodes(folder).items() if number and key.split()}
