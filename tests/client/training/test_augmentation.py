from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from client.training.augmentation import Augmentation, Augmentations, DrawnAugmentations
from shared_model.config.schema import AugmentationConfig
from shared_model.randomness import torch_generator

NONE = {"flips": False, "rotation_degrees": 0.0, "brightness": 0.0, "contrast": 0.0}


def augment(image: torch.Tensor, seed: int = 0, **values: float) -> torch.Tensor:
    return Augmentation(AugmentationConfig(**{**NONE, **values}), torch_generator(seed, "test"))(image)


def test_without_any_change_the_photograph_stays() -> None:
    image = torch.rand(3, 3, 16, 16)
    assert torch.allclose(augment(image), image, atol=1e-6)


def test_flips_are_exact_and_all_four_occur() -> None:
    image = torch.rand(1, 3, 16, 16).expand(64, -1, -1, -1)
    changed = augment(image, flips=True)
    views = [image[0], image[0].flip(2), image[0].flip(1), image[0].flip(1, 2)]
    kinds = {next(i for i, v in enumerate(views) if torch.allclose(c, v, atol=1e-4)) for c in changed}
    assert kinds == {0, 1, 2, 3}


@pytest.mark.parametrize("flips", [False, True])
def test_a_rotation_moves_by_the_angle_and_keeps_distances(flips: bool) -> None:
    """A bright spot stays at its distance from the centre, within 15 degrees of a flipped or unflipped place."""
    image = torch.zeros(64, 3, 65, 65)
    image[:, :, 32, 52:55] = 1.0  # 21 px to the right
    y, x = torch.meshgrid(torch.arange(65.0), torch.arange(65.0), indexing="ij")
    angles = []
    for changed in augment(image, flips=flips, rotation_degrees=15.0):
        weight = changed[0] / changed[0].sum()
        dx, dy = float((weight * x).sum()) - 32, float((weight * y).sum()) - 32
        assert (dx * dx + dy * dy) ** 0.5 == pytest.approx(21, abs=0.7)
        angles.append(float(torch.rad2deg(torch.atan2(torch.tensor(dy), torch.tensor(abs(dx))))))
    assert max(map(abs, angles)) <= 15.5
    assert max(angles) > 8
    assert min(angles) < -8


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_values_stay_in_range_and_follow_from_the_generator(seed: int) -> None:
    image = torch.rand(4, 3, 16, 16, generator=torch_generator(seed, "image"))
    changed = augment(image, seed, flips=True, rotation_degrees=15.0, brightness=0.1, contrast=0.1)
    assert changed.shape == image.shape
    assert float(changed.min()) >= 0
    assert float(changed.max()) <= 1
    again = augment(image, seed, flips=True, rotation_degrees=15.0, brightness=0.1, contrast=0.1)
    assert torch.equal(changed, again)


def test_brightness_and_contrast_stay_within_their_bounds() -> None:
    image = 0.3 + 0.4 * torch.rand(200, 3, 8, 8)
    brighter = augment(image, brightness=0.1).mean(dim=(1, 2, 3)) / image.mean(dim=(1, 2, 3))
    assert 0.9 <= float(brighter.min()) < 0.92
    assert 1.08 < float(brighter.max()) <= 1.1001
    wider = augment(image, contrast=0.1).std(dim=(1, 2, 3)) / image.std(dim=(1, 2, 3))
    assert 0.8999 <= float(wider.min()) < 0.92
    assert 1.08 < float(wider.max()) <= 1.1001


def test_parts_of_a_batch_are_changed_as_each_would_be_by_itself() -> None:
    config, counts = AugmentationConfig(), [2, 1, 3]
    image = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(0))

    def own() -> list[Augmentation]:
        return [Augmentation(config, torch_generator(seed)) for seed in range(3)]

    by_itself = [part(some) for part, some in zip(own(), torch.split(image, counts), strict=True)]
    assert torch.equal(Augmentations(own(), counts)(image), torch.cat(by_itself))
    drawn = DrawnAugmentations(config, 4, seed=0)
    each = [drawn.choose(count, part) for part, count in zip(own(), counts, strict=True)]
    assert drawn.choose(6, Augmentations(own(), counts)) == [version for own in each for version in own]
