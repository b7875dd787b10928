"""Telling SuperLink the nodes of the kit, and no others, over its control interface, which is on this machine alone.

What it was told is written down after each node, beside its own state, so that a start anew tells only what is left.
What it does not take keeps nobody else out: a node that left the kit, which the front refuses already, and a key that
SuperLink will never take are written down, said, and harmless to the other sites.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from server.errors import Code, CoordinatorError
from server.kit import read_kit
from server.services.control import Control, Known, control
from server.services.nodes import (
    keep_left,
    keep_refused,
    keep_told,
    left_nodes,
    refused_nodes,
    site_of_key,
    told_nodes,
)
from server.submitting import write_connection
from shared_model.files import naming_disk_errors

LOOK_SECONDS = 5.0  # that a `status` has for what is pending


def register_nodes(kit: Path, folder: Path) -> None:
    """Make SuperLink's nodes those of the kit, as far as it lets itself be told. folder: for what was told.

    Raises CoordinatorError where it does not answer; what it took is kept, and what it will not take is pending.
    """
    with _alone(folder):
        told, wanted = told_nodes(folder), _wanted(kit)
        new, gone = [key for key in wanted if not told.get(key)], [key for key in told if key not in wanted]
        keep_left(folder, gone)
        if not new:
            keep_refused(folder, [])
        if not new and not gone:
            return
        superlink = read_kit(kit).superlink
        write_connection(folder / "flower", superlink)  # for a person's own look with Flower's commands
        with control(superlink) as flower:
            known = flower.nodes()
            if new:
                keep_refused(folder, _register(flower, known, new, folder))
            _unregister(flower, known, folder)


def unregister_left(kit: Path, folder: Path) -> None:
    """Try again what a start could not unregister, and nothing else: a kit that is being installed decides nothing.

    For a look: it waits for nobody, and takes LOOK_SECONDS at most. Raises CoordinatorError where another command is
    at it, or SuperLink does not answer.
    """
    with _alone(folder, wait=False):
        if left_nodes(folder):
            with control(read_kit(kit).superlink, LOOK_SECONDS) as flower:
                _unregister(flower, flower.nodes(), folder)


def pending_nodes(folder: Path) -> list[str]:
    """What SuperLink has still to be told, or will not take: a sentence each, with what to do."""
    left = [
        f"SuperLink still knows the node of {site_of_key(key)}, which left the kit (the front refuses it); "
        "tried again by the next start, nodes or status"
        for key in left_nodes(folder)
    ]
    return left + [_without_use(site_of_key(key)) for key in refused_nodes(folder)]


def _without_use(site: str) -> str:
    return (
        f"SuperLink does not take the node key of {site}, which was unregistered once: {site} cannot take part "
        "until it has new keys, by fedfundus-provision request KIT --new-keys at the site and approve --replace "
        f"by the authority, or by renew {site} --new-keys where its keys come in its kit; then install the newer "
        "kits, and start (nodes) again"
    )


def _register(flower: Control, known: dict[bytes, Known], keys: list[str], folder: Path) -> list[str]:
    """Those that SuperLink will never take; each of the others is written down as it is told."""
    told, refused = told_nodes(folder), []
    for key in keys:
        number = flower.register(key, known)
        if number is None:
            refused.append(key)
        else:
            told[key] = number
            keep_told(folder, told)
    return refused


def _unregister(flower: Control, known: dict[bytes, Known], folder: Path) -> None:
    """Those that are left; each is written down as it is done."""
    told = told_nodes(folder)
    left = left_nodes(folder)
    for key in list(left):
        if flower.unregister(key, known):
            left.remove(key)
            told.pop(key, None)
            keep_told(folder, told)
            keep_left(folder, left)


def _wanted(kit: Path) -> list[str]:
    """The kit's node keys, each a line that ends with its site's name."""
    return [file.read_text(encoding="ascii").strip() for file in sorted((kit / "nodes").glob("*.pub"))]


@contextmanager
def _alone(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """One command at a time: `status` may try what `start` is at. Raises CoordinatorError where it does not wait."""
    path = folder / "nodes.lock"
    with naming_disk_errors(path):
        path.touch(mode=0o600)
        handle = path.open("rb")
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CoordinatorError(
                Code.UNREACHABLE,
                "another command is telling SuperLink its nodes",
                where=str(path),
                fix="look again when it is done",
            ) from None
        yield
