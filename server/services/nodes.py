"""Which nodes SuperLink was told, beside its own state: key to number, so that a number can be called by its site."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from shared_model.files import write_text

FOLDER = "services"  # in the store
_FILE, _LEFT, _REFUSED = "nodes.json", "nodes-left.json", "nodes-refused.json"


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


def left_nodes(folder: Path) -> list[str]:
    """Keys that left the kit and that SuperLink could not be told to unregister yet."""
    return _keys(folder / _LEFT)


def keep_left(folder: Path, keys: Iterable[str]) -> None:
    """Write down what is left to unregister."""
    write_text(folder / _LEFT, json.dumps(list(keys), indent=1))


def refused_nodes(folder: Path) -> list[str]:
    """Keys of the kit that SuperLink will never take."""
    return _keys(folder / _REFUSED)


def keep_refused(folder: Path, keys: Iterable[str]) -> None:
    """Write down what SuperLink will never take."""
    write_text(folder / _REFUSED, json.dumps(list(keys), indent=1))


def forget_nodes(folder: Path) -> None:
    """What was told is gone with SuperLink's state."""
    for name in (_FILE, _LEFT, _REFUSED):
        (folder / name).unlink(missing_ok=True)


def site_of_key(key: str) -> str:
    """The site that a line of a public key is of."""
    return key.rsplit(maxsplit=1)[-1] if key.strip() else ""


def site_of_node(folder: Path) -> dict[str, str]:
    """Flower's number of a node -> the site it is of."""
    return {
        number: site_of_key(key) for key, number in told_nodes(folder).items() if number and site_of_key(key)
    }


def _keys(file: Path) -> list[str]:
    try:
        found: list[str] = json.loads(file.read_text(encoding="utf-8"))
        return found
    except (OSError, ValueError):
        return []
