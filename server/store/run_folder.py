"""One folder a run. Checkpoints are whole or absent; history and quarantine are appended a line at a time."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file

from shared_model.exchange.parameters import Arrays
from shared_model.files import naming_disk_errors, write_tensor_file, write_text

REFUSED = "refused-updates.jsonl"


class RunFolder:
    """Files of one trained model (the federated one, or a baseline) below `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with naming_disk_errors(path):
            path.mkdir(parents=True, exist_ok=True)

    def append_history(self, row: dict[str, Any]) -> None:
        """One finished round."""
        self._append("history.jsonl", row)

    def append_quarantine(self, row: dict[str, Any]) -> None:
        """One update that was not used: round, site, reason."""
        self._append(REFUSED, row)

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
            stream.write(json.dumps(row, allow_nan=False) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
