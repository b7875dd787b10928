"""A public beginning for a model trained under differential privacy: an encoder that has learnt to count spots.

Noise leaves little to learn an image encoder from, so a private run begins with one that is frozen. This one has seen
painted pictures and nothing else: a lit disc with vessels, an optic disc, dark and bright spots. It is taught how many
of each there are. It knows no grade, no patient, and nothing of how the synthetic data set draws its lesions.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor
from torch.nn import functional as F

from client.training.augmentation import Augmentation
from shared_model.config import Config
from shared_model.files import write_bytes
from shared_model.model import FusionModel, build_model
from shared_model.model.build import WEIGHTS_FILE
from shared_model.progress import RunProgress
from shared_model.randomness import numpy_generator, torch_generator, torch_seed
from shared_model.records import TASKS
from simulations.output import made

PICTURES, EPOCHS, BATCH = 4000, 8, 32
LEARNING_RATE = 1e-3
BINS = (1, 4, 9, 17)  # of the number of spots: five classes, for the two heads that a model has
_FORMAT = 1  # of the painting and the training below

Progress = Callable[[int, int], None]
Picture = NDArray[np.float32]


@dataclass(frozen=True)
class Painted:
    """pixels: (3, S, S) in [0, 1]. dark, bright: how many spots of each were painted."""

    pixels: Picture
    dark: int
    bright: int


def paint(index: int, size: int) -> Painted:
    """Picture number `index`, `size` pixels a side: the same wherever it is painted."""
    random = numpy_generator(0, "public start", index)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    retina = np.array([0.75, 0.35, 0.15]) * random.uniform(0.6, 1.3, 3)
    shade = 1 - random.uniform(0.2, 0.6) * (x**2 + y**2)
    pixels = (retina[:, None, None] * shade).astype(np.float32)
    disc = random.uniform(0.3, 0.6) * random.choice([-1, 1]), random.uniform(-0.1, 0.1)
    _vessels(pixels, disc, random)
    _spot(pixels, *disc, random.uniform(0.08, 0.16), (0.3, 0.35, 0.25))
    dark, bright = (int(random.choice([0, int(random.integers(1, 30))])) for _ in range(2))
    for count, red, size_range in ((dark, False, (0.01, 0.045)), (bright, True, (0.012, 0.05))):
        for _ in range(count):
            angle, distance = random.uniform(0, 2 * math.pi), math.sqrt(random.uniform(0.01, 0.8))
            strength = random.uniform(0.5, 1.3)
            colour = (0.25, 0.3, 0.1) if red else (-0.3, -0.22, -0.1)
            where = distance * math.cos(angle), distance * math.sin(angle)
            _spot(pixels, *where, random.uniform(*size_range), tuple(strength * part for part in colour))
    pixels[:, x**2 + y**2 > random.uniform(0.85, 1.1)] = 0.0
    pixels += random.normal(0, random.uniform(0, 0.02), pixels.shape).astype(np.float32)
    return Painted(np.clip(pixels, 0, 1), dark, bright)


def with_public_start(config: Config, folder: Path, progress: RunProgress) -> Config:
    """The configuration with an encoder that `folder` holds, made there where it is not yet.

    As it was where model.image.weights names one already, or the encoder is not one made to measure and frozen.
    """
    image = config.model.image
    if image.weights or not image.width or not image.frozen_blocks:
        return config
    # Another encoder, or another way of teaching it, has another name.
    wanted = json.dumps(
        [_FORMAT, image.model_dump(exclude={"frozen_blocks"}), PICTURES, EPOCHS, BINS], default=str
    )
    place = folder / hashlib.sha256(wanted.encode()).hexdigest()[:12]
    if not (place / WEIGHTS_FILE).exists():
        made(folder.parent)  # before the hours that it takes
        progress.say(f"a public start: {PICTURES:,} painted pictures, {EPOCHS} times")
        make_public_start(place, config, lambda n, m: progress.update("counting spots", n, m, unit="steps"))
    found = image.model_copy(
        update={
            "weights": str(place),
            "sha256": hashlib.sha256((place / WEIGHTS_FILE).read_bytes()).hexdigest(),
        }
    )
    model = config.model.model_copy(update={"image": found, "pretrained": "auto"})
    return config.model_copy(update={"model": model})


def make_public_start(folder: Path, config: Config, progress: Progress | None = None) -> None:
    """Train `config.model`'s image encoder to count spots, and write it where model.image.weights can name it.

    Nothing of it depends on any data. progress: called with (steps done, steps in all).
    """
    model = build_model(_counting(config).model, pretrained=False, seed=0)
    painted = [paint(index, config.model.image.size) for index in range(PICTURES)]
    pixels = torch.from_numpy(np.stack([one.pixels for one in painted]))
    counts = torch.tensor([(one.dark, one.bright) for one in painted])
    generator = torch_generator(0, "public start", "order")
    augmentation = Augmentation(config.training.augmentation, generator)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed(0, "public start"))
        _learn(model, pixels, counts, augmentation, progress)
    assert model.image_encoder is not None
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.contiguous() for name, tensor in model.image_encoder.vit.state_dict().items()}
    write_bytes(folder / WEIGHTS_FILE, save(state))


def _learn(
    model: FusionModel, pixels: Tensor, counts: Tensor, augmentation: Augmentation, progress: Progress | None
) -> None:
    """EPOCHS passes over pictures (N, 3, S, S) with counts (N, 2)."""
    mean, std = (of(pixels, dim=(0, 2, 3), keepdim=True) for of in (torch.mean, torch.std))
    classes = torch.bucketize(counts, torch.tensor(BINS), right=True)
    total = EPOCHS * (len(pixels) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=total)
    for step in range(total):
        if step * BATCH % len(pixels) == 0:
            order = torch.randperm(len(pixels), generator=augmentation.generator)
        rows = order[step * BATCH % len(pixels) :][:BATCH]
        logits = model.grade(model.encode(image=(augmentation(pixels[rows]) - mean) / std))
        optimizer.zero_grad()
        _loss(logits, classes[rows]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if progress:
            progress(step + 1, total)


def _loss(logits: dict[str, Tensor], classes: Tensor) -> Tensor:
    losses = [F.cross_entropy(logits[task], classes[:, i]) for i, task in enumerate(TASKS)]
    return torch.stack(losses).sum()


def _counting(config: Config) -> Config:
    """The same image encoder, trained whole, before two small heads and nothing else, which are always the same."""
    model = config.model
    image = model.image.model_copy(update={"frozen_blocks": 0, "weights": "", "sha256": ""})
    fusion = model.fusion.model_copy(update={"depth": 0, "width": 32, "heads": 4, "joint": 32})
    decoders = model.decoders.model_copy(update={"enabled": False})
    changed = {"inputs": ("image",), "image": image, "fusion": fusion, "decoders": decoders}
    return config.model_copy(update={"model": model.model_copy(update=changed)})


def _vessels(pixels: Picture, disc: tuple[float, float], random: np.random.Generator) -> None:
    """Dark, thinning lines that leave the optic disc and bend."""
    for _ in range(random.integers(4, 9)):
        x, y = disc
        heading, width = random.uniform(0, 2 * math.pi), random.uniform(0.012, 0.03)
        for _ in range(random.integers(20, 60)):
            _spot(pixels, x, y, width, (-0.07, -0.06, -0.03))
            x, y = x + 0.02 * math.cos(heading), y + 0.02 * math.sin(heading)
            heading, width = heading + random.normal(0, 0.12), width * 0.985


def _spot(pixels: Picture, x: float, y: float, radius: float, colour: tuple[float, ...]) -> None:
    """Add a Gaussian spot in place; coordinates and radius as shares of half the picture's side."""
    size = pixels.shape[1]
    scale = (size - 1) / 2
    column, row, reach = (x + 1) * scale, (y + 1) * scale, max(0.5, radius * scale)
    left, top = (max(0, math.floor(place - 3 * reach)) for place in (column, row))
    right, bottom = (min(size, math.ceil(place + 3 * reach) + 1) for place in (column, row))
    if left >= right or top >= bottom:
        return
    across = np.exp(-((np.arange(left, right) - column) ** 2) / (2 * reach**2))
    down = np.exp(-((np.arange(top, bottom) - row) ** 2) / (2 * reach**2))
    spot = np.outer(down, across).astype(np.float32)
    pixels[:, top:bottom, left:right] += np.array(colour, dtype=np.float32)[:, None, None] * spot
