"""What a run needs to go on after any of its processes was killed: written whole after every round, checked on reading.

One folder a round, renamed into place when all of its files are on the disk. The shared weights, the state of the
server's optimiser, the set that the sites hold where changes of it are sent, the best weights so far, and one JSON
document of everything small. A damaged one is passed over for the round before.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from server.errors import Code, CoordinatorError
from shared_model.exchange.bf16 import from_bf16, to_bf16
from shared_model.exchange.parameters import Arrays
from shared_model.files import naming_disk_errors, write_bytes, write_text

KEPT = 2  # rounds
DOCUMENT, MODEL, BEST = "checkpoint.json", "model.safetensors", "best.safetensors"
BASE, STRATEGY = "base.safetensors", "strategy.safetensors"
_NAME = re.compile(r"round-(\d{5})")
_FIX = "put the run's folder back from a backup, or launch again"


@dataclass(frozen=True)
class Checkpoint:
    """After round `number`. base: what the sites hold, {} where they are sent whole sets. state: JSON values."""

    number: int
    model: Arrays
    base: Arrays = field(default_factory=dict)
    strategy: Arrays = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)


class Checkpoints:
    """Those of one run, in `folder`/checkpoints. The run's last and best weights lie beside and are linked."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "checkpoints"
        self._run = folder

    def save(self, checkpoint: Checkpoint) -> None:
        """Write it; older ones than the last KEPT go. The run's last weights must be those of the checkpoint."""
        partial = self.path / ".partial"
        shutil.rmtree(partial, ignore_errors=True)
        with naming_disk_errors(self.path):
            partial.mkdir(parents=True)
            os.link(self._run / "last.safetensors", partial / MODEL)
            os.link(self._run / "best.safetensors", partial / BEST)
            if checkpoint.base:  # rounded to bf16 already: nothing is lost
                _write(partial / BASE, {n: to_bf16(a) for n, a in checkpoint.base.items()})
            if checkpoint.strategy:
                _write(partial / STRATEGY, checkpoint.strategy)
            document = {"round": checkpoint.number, "sha256": _digests(partial), **checkpoint.state}
            write_text(partial / DOCUMENT, json.dumps(document, allow_nan=False))
            self._put_in_place(partial, checkpoint.number)
        for number in self._numbers()[:-KEPT]:
            shutil.rmtree(self.path / f"round-{number:05d}", ignore_errors=True)

    def latest(self) -> Checkpoint | None:
        """The last sound one, its weights put back as the run's last and best; None before the first round.

        Raises CoordinatorError where there are checkpoints and none of them is sound.
        """
        numbers = self._numbers()
        for number in reversed(numbers):
            place = self.path / f"round-{number:05d}"
            found = _read(place, number)
            if found is not None:
                self._put_back(place)
                return found
        if numbers:
            raise CoordinatorError(
                Code.DAMAGED_CHECKPOINT, "no checkpoint of the run is sound", where=str(self.path), fix=_FIX
            )
        return None

    def clear(self) -> None:
        """Remove all of them: the run is complete."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _put_in_place(self, partial: Path, number: int) -> None:
        place = self.path / f"round-{number:05d}"
        _settle(partial)
        shutil.rmtree(place, ignore_errors=True)
        partial.replace(place)
        _settle(self.path)

    def _numbers(self) -> list[int]:
        if not self.path.is_dir():
            return []
        found = (_NAME.fullmatch(entry.name) for entry in self.path.iterdir())
        return sorted(int(match[1]) for match in found if match)

    def _put_back(self, place: Path) -> None:
        with naming_disk_errors(self._run):
            for kept, name in ((MODEL, "last.safetensors"), (BEST, "best.safetensors")):
                beside = self._run / f".{name}"
                beside.unlink(missing_ok=True)
                os.link(place / kept, beside)
                beside.replace(self._run / name)


def _read(place: Path, number: int) -> Checkpoint | None:
    """None for one that is cut short, altered or of another shape."""
    try:
        document = json.loads((place / DOCUMENT).read_text(encoding="utf-8"))
        if document.pop("round") != number or document.pop("sha256") != _digests(place):
            return None
        base = {n: from_bf16(bits) for n, bits in _load(place / BASE).items()}
        return Checkpoint(number, load_file(place / MODEL), base, _load(place / STRATEGY), document)
    except (OSError, ValueError, KeyError, AttributeError, SafetensorError):
        return None


def _load(path: Path) -> dict[str, NDArray[Any]]:
    return load_file(path) if path.exists() else {}


def _write(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    write_bytes(path, save({name: np.asarray(array, order="C") for name, array in arrays.items()}))


def _digests(place: Path) -> dict[str, str]:
    found = {}
    for path in sorted(place.glob("*.safetensors")):
        with path.open("rb") as stream:
            found[path.name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return found


def _settle(folder: Path) -> None:
    """The names in a folder are on the disk as well."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
