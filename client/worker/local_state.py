"""What a site keeps between rounds, on its own disk: its local parameters and its optimiser's moments.

Local parameters start from the model's initial weights; neither ever travels. Each file is written to a
temporary one and renamed, so that a crash leaves the last round's.
"""

from __future__ import annotations

from pathlib import Path

from safetensors.numpy import load_file

from shared_model.exchange import local_tensors, write_tensors
from shared_model.exchange.parameters import Arrays
from shared_model.files import write_tensor_file
from shared_model.losses import Objective

LOCAL, MOMENTS = "local.safetensors", "moments.safetensors"


class LocalState:
    """The local tensors and the optimiser's moments of one site in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.local = folder / LOCAL
        self.moments = folder / MOMENTS

    def load(self, objective: Objective, initial: Arrays) -> Arrays | None:
        """Put the site's tensors into the objective and return the moments; before its first round, the initial
        tensors and None.
        """
        write_tensors(objective, load_file(self.local) if self.local.exists() else initial)
        return load_file(self.moments) if self.moments.exists() else None

    def save(self, objective: Objective, moments: Arrays) -> None:
        """Keep the objective's local tensors, if the model has any, and the moments."""
        self.local.parent.mkdir(parents=True, exist_ok=True)
        tensors = local_tensors(objective)
        if tensors:
            write_tensor_file(self.local, tensors)
        write_tensor_file(self.moments, moments)
