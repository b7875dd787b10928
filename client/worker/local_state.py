"""A site's own parameters between rounds, on its own disk.

They start from the model's initial weights and never travel. Written to a temporary file and renamed, so that a
crash leaves the last round's.
"""

from __future__ import annotations

from pathlib import Path

from safetensors.numpy import load_file

from shared_model.exchange import local_tensors, write_tensors
from shared_model.exchange.parameters import Arrays
from shared_model.files import write_tensor_file
from shared_model.losses import Objective

FILE = "local.safetensors"


class LocalState:
    """The local tensors of one site in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def load(self, objective: Objective, initial: Arrays) -> None:
        """Put the site's tensors into the objective; before its first round, the initial ones."""
        write_tensors(objective, load_file(self.path) if self.path.exists() else initial)

    def save(self, objective: Objective) -> None:
        """Keep the objective's local tensors, if the model has any."""
        tensors = local_tensors(objective)
        if tensors:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_tensor_file(self.path, tensors)
