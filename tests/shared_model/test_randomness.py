from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from shared_model.randomness import derived_seed, numpy_generator, torch_generator, torch_seed

NAME = st.one_of(st.text(st.characters(exclude_characters="\x1f"), max_size=6), st.integers(0, 99))


@given(st.integers(0, 2**70), st.lists(NAME, max_size=4))
def test_a_seed_fits_every_generator_and_repeats(seed: int, names: list[str | int]) -> None:
    found = derived_seed(seed, *names)
    assert 0 <= found < 2**63
    assert found == derived_seed(seed, *names) == torch_seed(seed, *names)
    assert numpy_generator(seed, *names).random() == numpy_generator(seed, *names).random()
    assert torch.equal(torch.rand(2, generator=torch_generator(seed, *names)), _first(seed, names))


def _first(seed: int, names: list[str | int]) -> torch.Tensor:
    return torch.rand(2, generator=torch_generator(seed, *names))


def test_every_name_and_its_place_count() -> None:
    seeds = [
        derived_seed(0),
        derived_seed(1),
        derived_seed(0, "a"),
        derived_seed(0, "a", "b"),
        derived_seed(0, "b", "a"),
        derived_seed(0, "ab"),
        derived_seed(0, "a", 1),
        derived_seed(0, "a", 11),
        derived_seed(0, "a1", 1),
    ]
    assert len(set(seeds)) == len(seeds)


def test_drawing_leaves_the_global_generators_alone() -> None:
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    torch.rand(3, generator=torch_generator(0, "x"))
    numpy_generator(0, "x").random(3)
    assert torch.equal(before[0], torch.random.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])
