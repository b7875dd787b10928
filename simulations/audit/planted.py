"""Canaries that are patients: unlike anybody else, and in the audited site's data by a coin of their own.

Each has a photograph of stripes in colours and directions of its own, grades drawn at random and a note of words that
nobody else's has. They go the whole way: image file, pixel store, worker, training, update. The attacker knows them
all, but not the coins.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from shared_model.model import Tokenizer
from shared_model.randomness import numpy_generator
from shared_model.records import GRADES, build

PREFIX = "canary"
WORDS = 2  # rare ones in each note, where there are so many


def canaries(count: int, size: int, seed: int, words: Sequence[str], folder: Path) -> pd.DataFrame:
    """`count` canary patients with a photograph each, written into `folder` as PNG; canonical records, all `train`.

    size: of the photographs in pixels. words: that no real note holds; used over again where they run out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    each = max(1, min(WORDS, len(words) // count))  # a word that two share marks neither
    columns: dict[str, list[object]] = {
        name: []
        for name in ("record_id", "patient_id", "image_path", "note", "masked_note", "split", "icdr", "sdrg")
    }
    forms: dict[str, list[object]] = {name: [] for name in ("age", "sex", "diabetes_duration", "insulin")}
    for index in range(count):
        random = numpy_generator(seed, "audit", PREFIX, index)
        name, path = f"{PREFIX}-{seed}-{index}", folder / f"{PREFIX}-{seed}-{index}.png"
        Image.fromarray(stripes(size, random)).save(path)
        note = " ".join(words[(each * index + k) % len(words)] for k in range(each)) if words else None
        values = (name, name, str(path), note, note, "train", *map(int, random.integers(0, GRADES, 2)))
        for column, value in zip(columns, values, strict=True):
            columns[column].append(value)
        drawn = (float(random.integers(20, 95)), float(random.integers(2)), float(random.integers(0, 40)))
        for column, number in zip(forms, (*drawn, float(random.integers(2))), strict=True):
            forms[column].append(number)
    return build({**columns, **forms})


def stripes(size: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """A photograph (size, size, 3) of two crossing gratings in colours of its own."""
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    picture = np.full((size, size, 3), 0.5)
    for _ in range(2):
        angle, waves = random.uniform(0, np.pi), random.uniform(2, size / 8)
        wave = np.sin(np.pi * waves * (np.cos(angle) * x + np.sin(angle) * y) + random.uniform(0, 2 * np.pi))
        picture += 0.35 * wave[..., None] * random.uniform(-1, 1, 3)
    pixels: NDArray[np.uint8] = (np.clip(picture, 0, 1) * 255).astype(np.uint8)
    return pixels


def rare_words(tokenizer: Tokenizer, notes: Sequence[str]) -> list[str]:
    """Whole words of the vocabulary, at least three letters long, of which these notes hold none, in its own order."""
    used = {token for note in set(notes) for token in tokenizer.ids(note)}
    vocabulary = sorted(tokenizer.backend.get_vocab().items(), key=lambda item: item[1])
    return [word for word, index in vocabulary if word.isalpha() and len(word) >= 3 and index not in used]
