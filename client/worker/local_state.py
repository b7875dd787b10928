"""What a site keeps between rounds, on its own disk: its local parameters and its optimiser's moments.

Local parameters start from the model's initial weights; neither ever travels. Each file is written to a
temporary one and renamed, so that a crash leaves the last round's. A decoder can remember a photograph, so a
deployed site seals both.
"""

from __future__ import annotations

from pathlib import Path

from client.vault import Vault
from client.worker.tensor_files import TensorFiles
from shared_model.exchange import local_tensors, write_tensors
from shared_model.exchange.parameters import Arrays
from shared_model.losses import Objective

LOCAL, MOMENTS = "local.safetensors", "moments.safetensors"


class LocalState:
    """The local tensors and the optimiser's moments of one site in `folder`, sealed if there is a vault."""

    def __init__(self, folder: Path, vault: Vault | None = None) -> None:
        self.local = folder / LOCAL
        self.moments = folder / MOMENTS
        self._files = TensorFiles(folder, vault)

    def load(self, objective: Objective, initial: Arrays) -> Arrays | None:
        """Put the site's tensors into the objective and return the moments; before its first round, the initial
        tensors and None. Raises DataError for a file that was altered or sealed with another key.
        """
        local = self._files.read(LOCAL)
        write_tensors(objective, initial if local is None else local)
        return self._files.read(MOMENTS)

    def save(self, objective: Objective, moments: Arrays) -> None:
        """Keep the objective's local tensors, if the model has any, and the moments."""
        tensors = local_tensors(objective)
        if tensors:
            self._files.write(LOCAL, tensors)
        self._files.write(MOMENTS, moments)
