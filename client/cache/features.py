"""Trunk features of photographs and notes as a data set asks for them: from the file, or computed and then kept.

What is computed goes through the same rounding as what is kept, one photograph or note at a time, so that numbers do
not depend on what happened to be on the disk, nor on what else was in the batch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from client.cache import listener
from client.cache.computing import Compute, computed
from client.cache.feature_file import FeatureFile, Half, Key
from client.cache.room import Room
from client.training.augmentation import DrawnAugmentations
from client.training.full_precision import full_precision
from shared_model.errors import FedFundusError
from shared_model.model.image_encoder import ImageEncoder
from shared_model.model.text_encoder import TextEncoder


class KeptFeatures:
    """Features by key, read through `file`, which takes new ones until it has `limit` bytes or `room` is used up."""

    def __init__(self, file: FeatureFile, limit: int, room: Room) -> None:
        self.file = file
        self.limit = limit
        self.room = room
        self._told: set[str] = set()

    def of(self, wanted: Sequence[tuple[Key, Compute]]) -> list[Tensor]:
        """Features (T, width) in fp32, one for each of `wanted`; what is not kept, or damaged, is computed."""
        found: dict[Key, Tensor] = {}
        missing: dict[Key, Compute] = {}
        for key, compute in wanted:
            if key in found or key in missing:
                continue
            half = self._read(key)
            if half is None:
                missing[key] = compute
            else:
                found[key] = torch.from_numpy(half).to(torch.float32)
        if missing:
            found |= self._computed(missing)
        return [found[key] for key, _ in wanted]

    def all_of(self, wanted: Sequence[Key]) -> Tensor | None:
        """Features (B, T, width) in fp32 of photographs that are all kept; None where one is not, or is damaged."""
        found = []
        for key in wanted:
            half = self._read(key)
            if half is None:
                return None
            found.append(torch.from_numpy(half))
        return torch.stack(found).to(torch.float32)

    def _computed(self, missing: Mapping[Key, Compute]) -> dict[Key, Tensor]:
        found: dict[Key, Tensor] = {}
        new: dict[Key, Half] = {}
        for key, features in zip(missing, computed(list(missing.values())), strict=True):
            half = rounded(features)
            if half is None:
                self.tell("a value is beyond the range of half precision, and so is computed every time")
                found[key] = features
            else:
                new[key] = half
                found[key] = torch.from_numpy(half).to(torch.float32)
        self.keep(new, wait=False)
        return found

    def keep(self, new: Mapping[Key, Half], *, wait: bool = True) -> bool:
        """Write features, as far as there is room; False where the disk refuses, which is said once."""
        if not any(self._fits(half) for half in new.values()):
            return True
        try:
            with self.file.writing(wait=wait) as possible:
                for key, half in new.items() if possible else ():
                    if key not in self.file and self._fits(half) and not self.write(key, half):
                        break
        except FedFundusError as error:
            self.limit = 0
            self.tell(f"{error.what}; the run goes on, and computes what is not kept")
            return False
        return True

    def write(self, key: Key, half: Half) -> bool:
        """Keep one within `file.writing`; False where the other files of the folder have taken the room meanwhile."""
        with self.room.held(begun=self.file.size > 0) as left:
            if self.file.growth(*half.shape) > left:
                return False
            self.file.write(key, half)
        return True

    def tell(self, problem: str) -> None:
        """Say a problem of this cache, once."""
        if problem not in self._told:
            self._told.add(problem)
            listener.warn(problem)

    def _fits(self, half: Half) -> bool:
        return self.file.size + self.file.growth(*half.shape) <= self.limit

    def _read(self, key: Key) -> Half | None:
        before = self.file.damaged
        found = self.file.read(key)
        if self.file.damaged > before:
            self.tell("what was kept is damaged in part; that part is computed again")
        return found


def rounded(features: Tensor) -> Half | None:
    """Features in half precision; None where one of them is too large for it."""
    half: Half = features.to(torch.float16).numpy()
    return half if bool(np.isfinite(half).all()) else None


class ImageFeatures:
    """What the image trunk gives of `augmentations` of photographs; kept: None where nothing can be kept. pixels:
    whether something else reads the photographs too, as a decoder that rebuilds them does.
    """

    def __init__(
        self,
        encoder: ImageEncoder,
        augmentations: DrawnAugmentations,
        kept: KeptFeatures | None,
        *,
        pixels: bool = True,
    ) -> None:
        self.augmentations = augmentations
        self.kept = kept
        self.pixels = pixels
        self._encoder = encoder

    def of(self, digests: Sequence[str], draws: Sequence[int], image: Tensor) -> Tensor | None:
        """(B, T, width) of standardised photographs (B, 3, S, S), which are these draws; None without a cache."""
        if self.kept is None or not len(digests):
            return None

        def computing(row: int) -> Compute:
            return lambda: self.compute(image[row : row + 1])

        keys = [self.key(digest, draw) for digest, draw in zip(digests, draws, strict=True)]
        return torch.stack(self.kept.of([(key, computing(row)) for row, key in enumerate(keys)]))

    def known(self, digests: Sequence[str], draws: Sequence[int]) -> Tensor | None:
        """As `of`, where all of them are kept; None where one would have to be computed."""
        if self.kept is None or not len(digests):
            return None
        return self.kept.all_of([self.key(digest, draw) for digest, draw in zip(digests, draws, strict=True)])

    def compute(self, image: Tensor) -> Tensor:
        """(T, width) of one standardised photograph (1, 3, S, S)."""
        return _in_full(self._encoder, lambda device: self._encoder.trunk(image.to(device)))

    def shape(self, size: int) -> tuple[int, int]:
        """(T, width) of the features of a photograph of `size` pixels."""
        tokens, width = self.compute(torch.zeros(1, 3, size, size)).shape
        return tokens, width

    @staticmethod
    def key(digest: str, draw: int) -> Key:
        """digest: SHA-256 of the photograph's file in hex."""
        return Key(bytes.fromhex(digest), draw)


class TextFeatures:
    """What the text trunk gives of notes, each at its own length; kept: None where nothing can be kept."""

    def __init__(self, encoder: TextEncoder, kept: KeptFeatures | None) -> None:
        self.kept = kept
        self.width = encoder.width
        self._encoder = encoder

    def of(self, notes: Sequence[Sequence[int]], length: int) -> Tensor | None:
        """(B, length, width) of notes as token ids, zeros where a note is shorter; None without a cache."""
        if self.kept is None:
            return None

        def computing(ids: Sequence[int]) -> Compute:
            return lambda: self.compute(ids)

        found = torch.zeros(len(notes), length, self.width)
        for row, features in enumerate(self.kept.of([(self.key(ids), computing(ids)) for ids in notes])):
            found[row, : len(features)] = features
        return found

    def compute(self, ids: Sequence[int]) -> Tensor:
        """(L, width) of one note of L tokens."""
        tokens = torch.tensor([list(ids)], dtype=torch.long)
        mask = torch.ones_like(tokens)
        return _in_full(self._encoder, lambda device: self._encoder.trunk(tokens.to(device), mask.to(device)))

    @staticmethod
    def key(ids: Sequence[int]) -> Key:
        """By the note's tokens."""
        return Key(hashlib.sha256(np.asarray(ids, dtype=np.int64).tobytes()).digest())


def _in_full(encoder: nn.Module, trunk: Callable[[torch.device], Tensor]) -> Tensor:
    """The features (T, width) of a batch of one, in fp32 whatever precision the step around it has: those of a
    processor and of a CUDA device stand in one file.
    """
    device = next(encoder.parameters()).device
    with torch.autocast(device.type, enabled=False), full_precision():
        return trunk(device)[0].float().cpu()


@dataclass(frozen=True)
class Features:
    """What a data set may ask for; None where the encoder has no trunk or nothing is kept of it."""

    images: ImageFeatures | None = None
    notes: TextFeatures | None = None
