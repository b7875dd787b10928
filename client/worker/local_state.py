"""What a site keeps between rounds, on its own disk: its local parameters and its optimiser's moments.

Local parameters start from the model's initial weights; neither ever travels. Each file is written to a
temporary one and renamed, so that a crash leaves the last round's. A decoder can remember a photograph, so a
deployed site seals both.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from client.vault import Vault, is_sealed
from shared_model.errors import DataError
from shared_model.exchange import local_tensors, write_tensors
from shared_model.exchange.parameters import Arrays
from shared_model.files import naming_disk_errors, write_bytes
from shared_model.losses import Objective

LOCAL, MOMENTS = "local.safetensors", "moments.safetensors"


class LocalState:
    """The local tensors and the optimiser's moments of one site in `folder`, sealed if there is a vault."""

    def __init__(self, folder: Path, vault: Vault | None = None) -> None:
        self.local = folder / LOCAL
        self.moments = folder / MOMENTS
        self._vault = vault

    def load(self, objective: Objective, initial: Arrays) -> Arrays | None:
        """Put the site's tensors into the objective and return the moments; before its first round, the initial
        tensors and None. Raises DataError for a file that was altered or sealed with another key.
        """
        local = self._read(self.local)
        write_tensors(objective, initial if local is None else local)
        return self._read(self.moments)

    def save(self, objective: Objective, moments: Arrays) -> None:
        """Keep the objective's local tensors, if the model has any, and the moments."""
        with naming_disk_errors(self.local):
            self.local.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        tensors = local_tensors(objective)
        if tensors:
            self._write(self.local, tensors)
        self._write(self.moments, moments)

    def _read(self, path: Path) -> Arrays | None:
        if not path.exists():
            return None
        content = path.read_bytes()
        if self._vault is not None:
            content = self._vault.open(content, _label(path), where=str(path))
        elif is_sealed(content):
            raise _damaged("sealed, and no key was given", path)
        try:
            return load(content)
        except (SafetensorError, ValueError, KeyError):
            raise _damaged("damaged", path) from None

    def _write(self, path: Path, tensors: Arrays) -> None:
        content = save({name: np.asarray(array, order="C") for name, array in tensors.items()})
        write_bytes(path, content if self._vault is None else self._vault.seal(content, _label(path)))


def _label(path: Path) -> str:
    """Which run's it is stands in the folder's name, and so in the seal."""
    return f"worker/{path.parent.name}/{path.name}"


def _damaged(why: str, path: Path) -> DataError:
    return DataError(
        f"What the site kept from its last round is {why}.",
        where=str(path),
        fix="Restore the file; or delete both files of the folder, and the site begins from the initial tensors.",
    )
