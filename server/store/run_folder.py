"""One folder a run. Checkpoints are whole or absent; history and quarantine are appended a line at a time.

A simulation keeps no record of who took part, and nobody stops or readmits anything: what a deployed run writes down
beside this stands in server.store.stored_run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors.numpy import load_file

from shared_model.files import naming_disk_errors, write_tensor_file, write_text

if TYPE_CHECKING:  # torch stands behind them, which takes seconds to load: `status` answers without
    from server.checkpoint import Checkpoints
    from shared_model.exchange.parameters import Arrays

REFUSED = "refused-updates.jsonl"


class RunFolder:
    """Files of one trained model (the federated one, or a baseline) below `path`.

    resumable: keep what a run needs to go on after every round.
    """

    def __init__(self, path: Path, *, resumable: bool = False) -> None:
        self.path = path
        self._resumable = resumable
        with naming_disk_errors(path):
            path.mkdir(parents=True, exist_ok=True)

    @cached_property
    def checkpoints(self) -> Checkpoints | None:
        """What the run goes on from; None where it cannot."""
        from server.checkpoint import Checkpoints

        return Checkpoints(self.path) if self._resumable else None

    def append_history(self, row: dict[str, Any]) -> None:
        """One finished round."""
        self._append("history.jsonl", row)

    def append_quarantine(self, row: dict[str, Any], *, absent: bool = False) -> None:
        """One update that was not used: round, site, reason. absent: there was none."""
        self._append(REFUSED, row)

    def rewind(self, number: int) -> None:
        """Forget the history that was written after the checkpoint of round `number`, whose own line comes later."""
        rows = [row for row in self.history() if row["round"] < number]
        if (self.path / "history.jsonl").exists():  # which may end in half a line
            write_text(self.path / "history.jsonl", "".join(_line(row) for row in rows))

    def joined(self, sites: Collection[str]) -> None:
        """These sites joined at the beginning."""

    def joined_before(self) -> set[str]:
        """Sites that joined when the run was begun or resumed earlier, whether or not they are there now."""
        return set()

    def took_part(self, number: int, site: str, fields: Mapping[str, Any]) -> None:
        """The update of a site was used. fields: what it said beside its tensors."""

    def round_complete(self, number: int) -> None:
        """Round `number` is in the model, and in the checkpoint."""

    def event(self, what: str, **detail: Any) -> None:
        """Something that whoever reads the record later should know."""

    def suspend(self, site: str, number: int, reason: str) -> None:
        """The site is asked no more until a person readmits it."""

    def suspended(self) -> Iterable[str]:
        """Sites that no run may ask."""
        return ()

    def readmitted(self) -> Iterable[str]:
        """Sites that a person has readmitted since they were suspended."""
        return ()

    def stop_requested(self) -> bool:
        """Whether somebody asked the run to stop."""
        return False

    def save_weights(self, name: str, arrays: Arrays) -> None:
        """`last` after every round, `best` whenever validation improved."""
        write_tensor_file(self.path / f"{name}.safetensors", arrays)

    def load_weights(self, name: str) -> Arrays:
        """What save_weights wrote."""
        return load_file(self.path / f"{name}.safetensors")

    def save_json(self, name: str, document: Any) -> None:
        """A small document beside the weights."""
        write_text(self.path / name, json.dumps(document, indent=1, allow_nan=False) + "\n")

    def load_json(self, name: str) -> Any:
        """What save_json wrote."""
        return json.loads((self.path / name).read_text(encoding="utf-8"))

    def history(self) -> list[dict[str, Any]]:
        """Every finished round so far; a line that is still being written is not one."""
        path = self.path / "history.jsonl"
        if not path.exists():
            return []
        *lines, _ = path.read_text(encoding="utf-8").split("\n")
        return [json.loads(line) for line in lines]

    def _append(self, name: str, row: dict[str, Any]) -> None:
        path = self.path / name
        with naming_disk_errors(path), path.open("a", encoding="utf-8") as stream:
            stream.write(_line(row))
            stream.flush()
            os.fsync(stream.fileno())


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, allow_nan=False) + "\n"
