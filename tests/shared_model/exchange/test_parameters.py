from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from shared_model.errors import ConfigError
from shared_model.exchange import (
    local_tensors,
    parameter_kinds,
    read_tensors,
    shared_tensors,
    trunk_fingerprint,
    write_tensors,
)
from shared_model.losses import Objective

MakeObjective = Callable[..., Objective]
FROZEN = ("model.image.frozen_blocks=1", "model.text.frozen_blocks=1", "model.text.freeze_embeddings=true")


def test_every_tensor_has_exactly_one_kind(small_objective: MakeObjective) -> None:
    objective = small_objective(*FROZEN, "losses.weighting=softmax")
    kinds = parameter_kinds(objective)
    assert set(kinds) == set(objective.state_dict())
    assert set(kinds.values()) == {"trunk", "shared", "local"}
    for name, parameter in objective.named_parameters():
        assert (kinds[name] == "trunk") == (not parameter.requires_grad)
    assert kinds["weighting.alpha"] == "shared"
    local = {name for name, kind in kinds.items() if kind == "local"}
    assert local == {name for name in kinds if "_decoder." in name}


def test_what_travels_and_what_stays_do_not_overlap(small_objective: MakeObjective) -> None:
    objective = small_objective(*FROZEN)
    shared, local = shared_tensors(objective), local_tensors(objective)
    assert shared
    assert local
    assert not set(shared) & set(local)
    assert not any("decoder" in name for name in shared)
    assert all(array.dtype == np.float32 for array in (shared | local).values())


@pytest.mark.parametrize("stays", ["image_decoder", "text_decoder"])
def test_either_decoder_alone_may_stay_at_the_site(stays: str, small_objective: MakeObjective) -> None:
    kinds = parameter_kinds(small_objective(f"model.local=['{stays}']"))
    for name, kind in kinds.items():
        assert (kind == "local") == name.startswith(f"model.{stays}.")


@pytest.mark.parametrize("part", ["heads", "image_decodr", "text_decoder.layers", "model.heads"])
def test_any_other_part_is_refused_before_a_model_is_built(part: str, small_objective: MakeObjective) -> None:
    with pytest.raises(ConfigError, match=r"model\.local"):
        small_objective(f"model.local=['{part}']")


def test_a_model_without_decoders_has_nothing_local(small_objective: MakeObjective) -> None:
    objective = small_objective("model.decoders.enabled=false", "losses.weighting=softmax")
    assert local_tensors(objective) == {}


def test_tensors_written_are_read_back_bit_for_bit(small_objective: MakeObjective) -> None:
    a, b = small_objective(seed=0), small_objective(seed=1)
    assert any(not np.array_equal(x, shared_tensors(b)[n]) for n, x in shared_tensors(a).items())
    before = local_tensors(b)
    write_tensors(b, shared_tensors(a))
    assert all(np.array_equal(x, shared_tensors(b)[n]) for n, x in shared_tensors(a).items())
    assert all(np.array_equal(x, local_tensors(b)[n]) for n, x in before.items())


def test_copies_do_not_follow_training(small_objective: MakeObjective) -> None:
    objective = small_objective()
    copies = shared_tensors(objective)
    kept = {name: array.copy() for name, array in copies.items()}
    with torch.no_grad():
        for parameter in objective.parameters():
            parameter.add_(1)
    assert all(np.array_equal(copies[name], kept[name]) for name in kept)


def test_unknown_names_and_wrong_shapes_are_refused(small_objective: MakeObjective) -> None:
    objective = small_objective()
    with pytest.raises(KeyError):
        write_tensors(objective, {"model.nothing": np.zeros(1, dtype=np.float32)})
    with pytest.raises(ValueError, match="does not fit"):
        write_tensors(objective, {"model.joint_projection.bias": np.zeros(1, dtype=np.float32)})


def test_the_fingerprint_follows_the_trunk_and_nothing_else(small_objective: MakeObjective) -> None:
    objective, other = small_objective(*FROZEN), small_objective(*FROZEN, seed=1)
    first = trunk_fingerprint(objective)
    assert first == trunk_fingerprint(small_objective(*FROZEN))
    assert first != trunk_fingerprint(other)
    write_tensors(objective, shared_tensors(other) | local_tensors(other))
    assert first == trunk_fingerprint(objective)
    trunk = next(name for name, kind in parameter_kinds(objective).items() if kind == "trunk")
    changed = read_tensors(objective.state_dict()[trunk])
    changed.flat[0] += np.float32(1e-6)
    write_tensors(objective, {trunk: changed})
    assert first != trunk_fingerprint(objective)
