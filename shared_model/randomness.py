"""Named random generators from one seed: the same (seed, names) always gives the same numbers.

Every use has a name of its own ("order", "augmentation", site, round ...), so that adding a draw in one place
changes no other, and a resumed round draws what it would have drawn. Never for privacy: noise, sampling and keys
under differential privacy or secure aggregation come from the operating system.
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch


def derived_seed(seed: int, *names: str | int) -> int:
    """A 63-bit seed that depends on every name and their order."""
    text = "\x1f".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def numpy_generator(seed: int, *names: str | int) -> np.random.Generator:
    """A NumPy generator of its own for this use."""
    return np.random.default_rng(derived_seed(seed, *names))


def torch_seed(seed: int, *names: str | int) -> int:
    """A seed for torch.manual_seed."""
    return derived_seed(seed, *names)


def torch_generator(seed: int, *names: str | int) -> torch.Generator:
    """A CPU torch generator of its own for this use."""
    generator = torch.Generator()
    generator.manual_seed(derived_seed(seed, *names))
    return generator
