"""What the options of the coordinator's commands name: a kit, a SuperLink, the store of runs, the latest run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from server.kit import Kit
    from server.store.runs import RunStore
    from server.submitting import SuperLink


def connection(kit: Path | None, superlink: str | None) -> tuple[Kit | None, SuperLink]:
    """The kit, if one was named, and the SuperLink to speak to. Raises ConfigError unless one of the two is given."""
    from server.kit import read_kit
    from server.submitting import SuperLink
    from shared_model.errors import ConfigError

    if (kit is None) == (superlink is None):
        raise ConfigError(
            "the coordinator's kit is needed, or for trying out the address of a SuperLink without TLS",
            where="--kit, --superlink",
            fix="give one of the two",
        )
    if kit is None:
        assert superlink is not None
        return None, SuperLink(superlink)
    opened = read_kit(kit.resolve())
    return opened, opened.superlink


def existing(store: Path) -> RunStore:
    """The store in a folder. Raises CoordinatorError where there is none."""
    from server.store.runs import RunStore

    return RunStore.existing(store.resolve())


def latest(runs: RunStore) -> str:
    """The name of the run that was launched last. Raises CoordinatorError before the first."""
    from server.errors import Code, CoordinatorError

    rows = runs.rows()
    if not rows:
        raise CoordinatorError(
            Code.NO_RUN, "no run was launched yet", where=str(runs.folder), fix="launch one"
        )
    return rows[-1].run
