"""Files of tensors on a site's own disk: whole or absent, readable by its user alone, sealed at a deployed site."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from client.vault import Vault, is_sealed
from client.worker.overwriting import overwrite
from shared_model.errors import DataError
from shared_model.files import naming_disk_errors, write_bytes


class TensorFiles:
    """Named files below `folder`, which is made when the first is written.

    durable: whether a file is on the disk when `write` returns, and not only with the system.
    """

    def __init__(self, folder: Path, vault: Vault | None = None, *, durable: bool = True) -> None:
        self.folder = folder
        self._durable = durable
        self._vault = vault

    def read(self, name: str) -> dict[str, NDArray[Any]] | None:
        """The tensors of a file; None where there is none.

        Raises DataError for a file that was altered, cut, or sealed with another key.
        """
        path = self.folder / name
        if not path.exists():
            return None
        content = path.read_bytes()
        if self._vault is not None:
            content = self._vault.open(content, self._label(name), where=str(path))
        elif is_sealed(content):
            raise _damaged("sealed, and no key was given", path)
        try:
            return load(content)
        except (SafetensorError, ValueError, KeyError):
            raise _damaged("damaged", path) from None

    def write(self, name: str, tensors: Mapping[str, NDArray[Any]], *, over: str | None = None) -> None:
        """Replace a file. A crash leaves the one before.

        over: a file that is needed no longer and whose space may be used where nothing has to last; a crash then
        may leave neither.
        """
        path = self.folder / name
        if over is not None and not self._durable and self._vault is None:
            with naming_disk_errors(path):
                if overwrite(self.folder / over, path, tensors):
                    return
        with naming_disk_errors(path):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = save({name: np.asarray(array, order="C") for name, array in tensors.items()})
        sealed = content if self._vault is None else self._vault.seal(content, self._label(name))
        write_bytes(path, sealed, durable=self._durable)

    def _label(self, name: str) -> str:
        """Which run's it is stands in the folder's name, and so in the seal."""
        return f"worker/{self.folder.name}/{name}"


def _damaged(why: str, path: Path) -> DataError:
    return DataError(
        f"What the site kept from its last round is {why}.",
        where=str(path),
        fix="Restore the file; or delete the files of the folder, and the site begins from the initial tensors.",
    )
