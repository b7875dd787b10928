"""A folder of trunk features: which file a model needs, how much room it has, and the data set that reads through it.

A model whose encoders have nothing frozen has no cache, and a folder that cannot be written is done without: the run
goes on by the plain way. What training sees follows from the configuration, never from what could be kept.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from client.cache import listener
from client.cache.build import fill
from client.cache.feature_file import FEATURES, FeatureFile, names_in
from client.cache.features import Features, ImageFeatures, KeptFeatures, TextFeatures
from client.cache.identity import image_name, text_name
from client.cache.plans import Plan, image_plan, text_plan
from client.cache.room import GB, Room
from client.data.dataset import SiteDataset
from client.data.images import ImageStore
from client.training.augmentation import DrawnAugmentations
from client.vault import Vault
from shared_model.config import Config
from shared_model.errors import FedFundusError
from shared_model.files import naming_disk_errors, require_place
from shared_model.model import FusionModel, Tokenizer
from shared_model.statistics import Standardisation

FOLDER = "features"
_UNUSED = 7 * 86_400.0  # seconds after which a file of another run makes room

Whole = Callable[[], tuple[pd.DataFrame, ImageStore]]


@dataclass(frozen=True)
class Reading:
    """What a data set is read by: the model, its tokenizer, the federation's standardisation, the run."""

    model: FusionModel
    tokenizer: Tokenizer
    standardisation: Standardisation
    config: Config


class TrunkCache:
    """The features in `folder`, sealed if there is a vault.

    whole: where several sites share the folder, the records and photographs of all, so that it is built once for
    them. limit_gb: what the machine's owner allows, beside the run's cache.maximum_gb. makes_room: whether files that
    no run has read for a week may be removed for new ones.
    """

    def __init__(
        self,
        folder: Path,
        vault: Vault | None = None,
        *,
        whole: Whole | None = None,
        limit_gb: float = float("inf"),
        makes_room: bool = False,
    ) -> None:
        self.folder = folder
        self._vault = vault
        self._whole = whole
        self._limit_gb = limit_gb
        self._makes_room = makes_room
        self._known: dict[str, KeptFeatures | None] = {}
        self._built: set[str] = set()

    def dataset(self, table: pd.DataFrame, images: ImageStore, reading: Reading) -> SiteDataset:
        """The records as tensors, with the features of what is trained and validated on, built where they lack."""
        features = self._features(reading)
        if self._whole is not None:
            self._fill(features, reading, self._whole)
        found = SiteDataset(table, images, reading.tokenizer, reading.standardisation, features)
        if self._whole is None:
            self._fill_from(found, features, reading.config)
        return found

    def close(self) -> None:
        """Let go of the files, so that their disk space is free once they are removed."""
        for kept in self._known.values():
            if kept is not None:
                kept.file.close()

    def _features(self, reading: Reading) -> Features:
        config, standardisation = reading.config, reading.standardisation
        image = getattr(reading.model, "image_encoder", None)
        text = getattr(reading.model, "text_encoder", None)
        images = notes = None
        if config.cache.image_draws and image is not None and image.has_trunk and standardisation.images:
            drawn = DrawnAugmentations(config.training.augmentation, config.cache.image_draws, config.seed)
            name = image_name(image, config.model.image, standardisation, drawn)
            pixels = reading.model.image_decoder is not None
            images = ImageFeatures(image, drawn, self._kept(name, config), pixels=pixels)
        if config.cache.text and text is not None and text.has_trunk and standardisation.notes:
            notes = TextFeatures(text, self._kept(text_name(text, config.model.text), config))
        return Features(images, notes)

    def _kept(self, name: str, config: Config) -> KeptFeatures | None:
        """The same for whoever asks, None where nothing can be kept, which is said once."""
        if self._maximum(config) <= 0:
            return None
        if name not in self._known:
            file = FeatureFile(self.folder, name, self._vault)
            room = Room(self.folder, self._maximum(config))
            usable = len(file) or self._writable(file.path)
            self._known[name] = KeptFeatures(file, 0, room) if usable else None
            with suppress(OSError):
                os.utime(file.path)  # when it was last of use
        return self._known[name]

    def _writable(self, path: Path) -> bool:
        try:
            with naming_disk_errors(self.folder):
                self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            require_place(path)
        except FedFundusError as error:
            listener.warn(f"{error.what}; the run goes on without it")
            return False
        return True

    def _fill(self, features: Features, reading: Reading, whole: Whole) -> None:
        """For all sites at once, the first time that a site asks."""
        kept = [part.kept for part in (features.images, features.notes) if part and part.kept]
        if kept and not {one.file.path.name for one in kept} <= self._built:
            everyone = SiteDataset(*whole(), reading.tokenizer, reading.standardisation, features)
            self._fill_from(everyone, features, reading.config)
            self._built |= {one.file.path.name for one in kept}

    def _fill_from(self, dataset: SiteDataset, features: Features, config: Config) -> None:
        notes, images = features.notes, features.images
        if notes is not None and notes.kept is not None:
            notes.kept = self._filled(notes.kept, text_plan(dataset, notes, notes.kept.file), config)
        if images is not None and images.kept is not None:
            images.kept = self._filled(images.kept, image_plan(dataset, images, images.kept.file), config)

    def _filled(self, kept: KeptFeatures, plan: Plan, config: Config) -> KeptFeatures | None:
        """None where nothing could be kept: the plain way is quicker than to compute one by one in every step."""
        fill(kept, plan, bounded_by=self._bound(kept, plan, config))
        if not len(kept.file):
            self._known[kept.file.path.stem] = None
        return self._known[kept.file.path.stem]

    def _maximum(self, config: Config) -> float:
        return min(config.cache.maximum_gb, self._limit_gb) * GB

    def _bound(self, kept: KeptFeatures, plan: Plan, config: Config) -> str:
        """Set how large the file may become, and say in words what limits it."""
        file, maximum = kept.file, self._maximum(config)
        kept.room = Room(self.folder, maximum)  # of this run: another may have asked for the same file before
        if self._makes_room and any(entry.key not in file for entry in plan.entries):
            self._make_room(file, maximum - plan.bytes)
        kept.limit = max(0, file.size + kept.room.left(begun=file.size > 0))
        if kept.room.on_disk() < kept.room.within_maximum():
            return "the free disk space"
        own = self._limit_gb < config.cache.maximum_gb
        return f"{'resources.cache_gb' if own else 'cache.maximum_gb'} of {maximum / GB:g}"

    def _make_room(self, file: FeatureFile, left: float) -> None:
        """Remove what no run has read for long, the oldest first, until others take no more than `left` bytes."""
        others = sorted(self._others(file), key=lambda other: _used(other.path))
        taken = sum(other.size for other in others)
        for other in others:
            if taken <= left or time.time() - _used(other.path) < _UNUSED:
                return
            taken -= other.size
            other.discard()

    def _others(self, file: FeatureFile) -> list[FeatureFile]:
        own = file.path.name.removesuffix(FEATURES)
        return [FeatureFile(self.folder, name, self._vault) for name in names_in(self.folder) if name != own]


def _used(path: Path) -> float:
    return path.stat().st_mtime if path.exists() else 0.0
