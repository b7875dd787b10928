"""What every test of the system stands on: a model of a few thousand numbers and a BRSET-shaped folder of noise."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from client.data.dataset import SiteDataset
from client.data.images import ImageStore
from client.site import state as site_state
from client.statistics.policy import OPEN
from client.statistics.site_answer import site_answer
from shared_model import load_config
from shared_model.config import Config
from shared_model.losses import Batch, Objective
from shared_model.model import Tokenizer, build_model, load_tokenizer
from shared_model.records import MODALITIES, TASKS
from shared_model.statistics import Standardisation, pool
from simulations.prepare import Prepared, prepare

SMALL = (
    "model.image={size=64, width=32, depth=1, heads=2, name='vit_tiny_patch16_224', stem='convolutional', "
    "frozen_blocks=0}",
    "model.text={vocabulary=1024, width=32, depth=1, heads=2, feed_forward=48, maximum_tokens=48, "
    "kept_tokens=20, frozen_blocks=0, freeze_embeddings=false}",
    "model.structured.hidden=[16]",
    "model.fusion={width=32, depth=1, heads=2, feed_forward=48, dropout=0.0, joint=32}",
    "model.decoders={image_channels=[8, 8, 8], text_layers=1, text_heads=2, text_feed_forward=48}",
    "training.batch_size=8",
    "training.local_steps=2",
    "federation.partition=iid",
    "federation.sites=2",
    "federation.rounds=2",
    "data.split=[0.6, 0.2]",
    "evaluation={comparison=false, resamples=20, batch_size=16}",
    "runtime.jobs=1",
)

SmallConfig = Callable[..., Config]
MakeBatch = Callable[..., Batch]
MakeWorkspace = Callable[..., tuple[Path, Prepared]]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def same_salts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A site made within a test's own process gets a salt that follows from the test's name.

    Pseudonyms decide who trains and who validates. With 40 patients and a salt from the operating system, one run
    in some hundred has an unlucky draw. Sites that a test starts as processes keep their own salts.
    """
    site = count()
    name = request.node.nodeid

    def drawn(size: int) -> bytes:
        return hashlib.shake_256(f"{name}:{next(site)}".encode()).digest(size)

    monkeypatch.setattr(site_state, "secrets", SimpleNamespace(token_bytes=drawn))  # of that module alone


@pytest.fixture(scope="session")
def small_config() -> SmallConfig:
    """The tiny preset, smaller; arguments are further overrides ("a.b=c")."""
    return lambda *overrides: load_config("tiny", overrides=[*SMALL, *overrides])


@pytest.fixture(scope="session")
def small_objective(small_config: SmallConfig) -> Callable[..., Objective]:
    def make(*overrides: str, seed: int = 0) -> Objective:
        config = small_config(*overrides)
        return Objective(build_model(config.model, seed=seed), config.losses)

    return make


@pytest.fixture(scope="session")
def tokenizer(small_config: SmallConfig) -> Tokenizer:
    return load_tokenizer(build_model(small_config().model))


NOTES = (
    "There is macular edema in the retina. There are drusens in the retina.",
    "Diabetic retinopathy is present. There is a scar in the retina.",
    "No abnormality is recorded.",
    "There is a nevus in the retina.",
)
MASKED = (NOTES[0], "There is a scar in the retina.", "", NOTES[3])


@pytest.fixture(scope="session")
def make_batch(tokenizer: Tokenizer) -> MakeBatch:
    """A batch of noise: absent = {modality: rows that lack it}, missing = {task: rows without a label}."""

    def make(
        size: int = 8,
        seed: int = 0,
        absent: dict[str, list[int]] | None = None,
        missing: dict[str, list[int]] | None = None,
    ) -> Batch:
        generator = torch.Generator().manual_seed(seed)
        present = {name: torch.ones(size, dtype=torch.bool) for name in MODALITIES}
        for name, rows in (absent or {}).items():
            present[name][rows] = False
        labels = {task: torch.randint(0, 5, (size,), generator=generator) for task in TASKS}
        for task, rows in (missing or {}).items():
            labels[task][rows] = -1
        kind = [row % len(NOTES) for row in range(size)]
        image = torch.randn(size, 3, 64, 64, generator=generator)
        structured = torch.randn(size, 6, generator=generator)
        group = torch.where(present["text"], torch.tensor(kind), -1)
        return Batch(
            image=image * present["image"].view(-1, 1, 1, 1),
            note=tokenizer([NOTES[k] if present["text"][i] else "" for i, k in enumerate(kind)]),
            masked_note=tokenizer([MASKED[k] if present["text"][i] else "" for i, k in enumerate(kind)]),
            note_group=group,
            structured=structured * present["structured"].view(-1, 1),
            present=present,
            labels=labels,
        )

    return make


INDICATORS = ("diabetic_retinopathy", "macular_edema", "scar", "nevus", "drusens", "hemorrhage")
HEADER = (
    "image_id",
    "patient_id",
    "camera",
    "patient_age",
    "diabetes_time_y",
    "insuline",
    "patient_sex",
    "exam_eye",
    "diabetes",
    "DR_SDRG",
    "DR_ICDR",
    *INDICATORS,
)
PATIENTS = 40


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """BRSET's layout: 40 patients, two photographs of noise each; some lack the note, the form or the SDRG."""
    folder = tmp_path_factory.mktemp("brset")
    (folder / "fundus_photos").mkdir()
    random = np.random.default_rng(7)
    with (folder / "labels_brset.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(HEADER)
        for index in range(2 * PATIENTS):
            patient, grade = index // 2, int(random.integers(5))
            noted, filled = index % 7 != 3, index % 11 != 5
            form = [int(random.integers(30, 80)), int(random.integers(1, 30)), "no", 1 + patient % 2]
            writer.writerow(
                [
                    f"img{index:05d}",
                    patient,
                    "Canon CR" if patient % 3 else "NIKON NF5050",
                    *(form if filled else [""] * 4),
                    1 + index % 2 if filled else "",
                    ("yes" if grade else "no") if filled else "",
                    grade if index % 5 else "",
                    grade,
                    *((int(flag) for flag in random.random(len(INDICATORS)) < 0.3) if noted else [""] * 6),
                ]
            )
            noise = random.integers(0, 256, (64, 64, 3), dtype=np.uint8)
            Image.fromarray(noise).save(folder / "fundus_photos" / f"img{index:05d}.jpg", quality=80)
    return folder


@pytest.fixture(scope="session")
def prepared(
    data_folder: Path, small_config: SmallConfig, tmp_path_factory: pytest.TempPathFactory
) -> Prepared:
    """The folder's records, photographs and two sites. Nothing may train in its workspace."""
    return prepare(data_folder, small_config(), tmp_path_factory.mktemp("prepared"))


@pytest.fixture
def workspace(data_folder: Path, tmp_path: Path) -> MakeWorkspace:
    """A fresh simulation for a configuration: the root that workers open, and what was prepared."""

    def make(config: Config, name: str = "work") -> tuple[Path, Prepared]:
        root = tmp_path / name
        return root, prepare(data_folder, config, root)

    return make


@pytest.fixture(scope="session")
def records(prepared: Prepared) -> pd.DataFrame:
    return prepared.table


@pytest.fixture(scope="session")
def images(prepared: Prepared) -> ImageStore:
    return prepared.images


@pytest.fixture(scope="session")
def standardisation(records: pd.DataFrame, images: ImageStore) -> Standardisation:
    return pool([site_answer(records, images, OPEN)])


@pytest.fixture(scope="session")
def dataset(
    records: pd.DataFrame, images: ImageStore, tokenizer: Tokenizer, standardisation: Standardisation
) -> SiteDataset:
    return SiteDataset(records, images, tokenizer, standardisation)
