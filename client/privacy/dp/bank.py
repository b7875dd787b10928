"""Public examples that stand in for other patients, so that a patient's loss depends on that patient alone.

Notes are put together from the sentences that findings are rendered with, forms are drawn over the range of adult
values, photographs are painted: nobody's data is in any of them. They are the same at every site and in every run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from client.adapters.notes import SENTENCES, render
from shared_model.losses import Objective
from shared_model.model import TextBatch, Tokenizer
from shared_model.randomness import numpy_generator
from shared_model.records import FINDINGS, STRUCTURED
from shared_model.statistics import Standardisation

_RATE = 2 / len(SENTENCES)  # of each finding in a note: two on average
_YEARS = {"age": (25, 90), "diabetes_duration": (0, 40)}


@dataclass(frozen=True)
class Bank:
    """M public examples of each modality, standardised as the site's own records are."""

    image: Tensor  # (M, 3, S, S)
    note: TextBatch  # (M, L)
    structured: Tensor  # (M, 6)


def public_bank(count: int, size: int, tokenizer: Tokenizer, standardisation: Standardisation) -> Bank:
    """`count` examples for photographs of `size` pixels a side."""
    values, _ = standardisation.apply(_forms(count))
    mean, std = (
        torch.tensor(numbers, dtype=torch.float32).view(1, 3, 1, 1)
        for numbers in (standardisation.image_mean, standardisation.image_std)
    )
    painted = torch.stack([torch.from_numpy(_photograph(index, size)) for index in range(count)])
    return Bank((painted - mean) / std, tokenizer(_notes(count)), torch.from_numpy(values))


@torch.no_grad()
def encode(bank: Bank, objective: Objective) -> dict[str, Tensor]:
    """CLS (M, width) of each modality that the model reads, from the present weights and without dropout."""
    model, training = objective.model, objective.training
    objective.eval()
    embedded = {
        "image": lambda: model.embed_image(bank.image),
        "text": lambda: model.embed_text(bank.note),
        "structured": lambda: model.embed_structured(bank.structured),
    }
    cls: dict[str, Tensor] = {
        name: model.fuse({name: embedded[name]()}).cls[name] for name in model.config.inputs
    }
    objective.train(training)
    return cls


def _notes(count: int) -> list[str]:
    """Different notes as far as there are so many: none, one finding each, then several."""
    notes = [str(render(dict.fromkeys(FINDINGS, 0.0)))]
    notes += [str(render({name: 1.0})) for name in FINDINGS]
    random = numpy_generator(0, "public bank", "notes")
    while len(notes) < count:
        notes.append(
            str(render(dict(zip(FINDINGS, map(float, random.random(len(FINDINGS)) < _RATE), strict=True))))
        )
    return notes[:count]


def _forms(count: int) -> pd.DataFrame:
    random = numpy_generator(0, "public bank", "forms")
    columns = {
        name: random.integers(*_YEARS[name], count) if name in _YEARS else random.integers(0, 2, count)
        for name in STRUCTURED
    }
    return pd.DataFrame(columns).astype(float)


def _photograph(index: int, size: int) -> NDArray[np.float32]:
    """A lit disc on black with a bright optic disc and dark and yellow spots, (3, size, size) in [0, 1]."""
    random = numpy_generator(0, "public bank", "photographs", index)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    retina = np.array([0.75, 0.35, 0.15]) * random.uniform(0.7, 1.2, 3)
    shade = 1 - 0.4 * (x**2 + y**2)
    picture = retina[:, None, None] * shade
    spots = [(0.5 * random.choice([-1, 1]), 0.0, 0.16, (0.35, 0.4, 0.3))]
    for _ in range(random.integers(0, 25)):
        angle, distance = random.uniform(0, 2 * math.pi), random.uniform(0.1, 0.85)
        colour = (-0.25, -0.2, -0.1) if random.random() < 0.6 else (0.2, 0.3, 0.05)
        spots.append(
            (distance * math.cos(angle), distance * math.sin(angle), random.uniform(0.015, 0.06), colour)
        )
    for centre_x, centre_y, radius, colour in spots:
        spot = np.exp(-((x - centre_x) ** 2 + (y - centre_y) ** 2) / (2 * radius**2))
        picture = picture + np.array(colour)[:, None, None] * spot
    picture = np.where(x**2 + y**2 < 0.95**2, picture, 0.0)
    return np.clip(picture, 0, 1).astype(np.float32)
