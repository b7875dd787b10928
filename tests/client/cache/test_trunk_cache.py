from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from client.cache.feature_file import names_in
from client.cache.identity import text_name, trunk_of
from client.cache.listener import heard_by
from client.cache.trunk_cache import Reading, TrunkCache
from client.data.dataset import SiteDataset
from client.data.images import ImageStore
from client.training.augmentation import Augmentation, DrawnAugmentations
from client.vault import Vault
from shared_model.config.schema import AugmentationConfig
from shared_model.randomness import torch_generator
from tests.client.cache.conftest import DRAWS, Heard, image_name_of

MakeReading = Callable[..., Reading]
MakeDataset = Callable[..., SiteDataset]
VAULT = Vault(bytes(range(32)))


def step(seed: int = 0) -> Augmentation:
    return Augmentation(AugmentationConfig(), torch_generator(seed, "step"))


def trunk_of_batch(reading: Reading, dataset: SiteDataset, rows: list[int], seed: int = 0) -> torch.Tensor:
    batch = dataset.batch(rows, step(seed))
    assert reading.model.image_encoder is not None
    return reading.model.image_encoder.trunk(batch.image)


def file_of(folder: Path, kind: str) -> Path:
    (path,) = folder.glob(f"{kind}-*.features")
    return path


def test_features_in_half_precision_are_within_the_stated_error(
    reading: MakeReading, cached: MakeDataset
) -> None:
    found = reading(DRAWS)
    dataset = cached(found)
    rows = dataset.rows_of("train")[:16].tolist()
    batch = dataset.batch(rows, step())
    assert batch.image_trunk is not None
    exact = trunk_of_batch(found, dataset, rows)
    assert float((batch.image_trunk - exact).norm() / exact.norm()) < 3e-4
    assert bool(((batch.image_trunk - exact).abs() <= exact.abs() * 2**-11 + 1e-5).all())
    note = batch.note
    assert note.trunk is not None
    assert found.model.text_encoder is not None
    whole, here = found.model.text_encoder.trunk(note.ids, note.mask), note.mask.bool()
    assert float((note.trunk[here] - whole[here]).norm() / whole[here].norm()) < 3e-4
    assert not bool(note.trunk[~here].any())


def test_every_note_is_computed_once_and_every_draw_of_a_training_photograph(
    reading: MakeReading, cached: MakeDataset, counted: list[str], records: pd.DataFrame
) -> None:
    dataset = cached(reading(DRAWS))
    train, validation = (int((records["split"] == split).sum()) for split in ("train", "validation"))
    to_measure = 1
    assert counted.count("image") == 3 * train + validation + to_measure
    notes = pd.concat([records["note"], records["masked_note"]]).fillna("").nunique()
    assert counted.count("text") == notes
    counted.clear()
    for rows in (dataset.rows_of("train"), dataset.rows_of("validation")):
        dataset.batch(rows, step() if len(rows) == train else None)
    assert counted == []
    cached(reading(DRAWS))
    assert counted == []


def test_a_step_chooses_a_draw_a_photograph_by_its_generator_and_validation_reads_the_photograph(
    reading: MakeReading, cached: MakeDataset
) -> None:
    dataset = cached(reading(DRAWS))
    rows = dataset.rows_of("train")
    plain = dataset.batch(rows).image
    batches = [dataset.batch(rows, step(seed)).image for seed in (0, 0, 1)]
    assert torch.equal(batches[0], batches[1])
    assert not torch.equal(batches[0], batches[2])
    untouched = (batches[0] == plain).flatten(1).all(dim=1).float().mean()
    assert 0.15 < float(untouched) < 0.55  # one draw in three is the photograph itself
    versions = {
        image.numpy().tobytes() for seed in range(40) for image in dataset.batch(rows[:1], step(seed)).image
    }
    assert len(versions) == 3


def test_draws_follow_from_seed_content_and_number_and_not_from_the_batch() -> None:
    image = torch.rand(3, 3, 32, 32)
    digests = ["aa" * 32, "bb" * 32, "aa" * 32]
    drawn = DrawnAugmentations(AugmentationConfig(), 4, seed=5)
    found = drawn(image, digests, [0, 1, 2])
    assert torch.equal(found[0], image[0])
    assert torch.equal(drawn(image[1:2], digests[1:2], [1])[0], found[1])
    for other in (
        DrawnAugmentations(AugmentationConfig(), 4, seed=6)(image, digests, [0, 1, 2]),
        drawn(image, digests, [0, 2, 3]),
        drawn(image, ["cc" * 32] * 3, [0, 1, 2]),
    ):
        assert torch.equal(other[0], found[0])
        assert not torch.equal(other[1], found[1])
        assert not torch.equal(other[2], found[2])


def test_without_draws_photographs_are_augmented_anew_in_every_step_as_before(
    reading: MakeReading, cached: MakeDataset, records: pd.DataFrame, images: ImageStore, tmp_path: Path
) -> None:
    found = reading("cache.image_draws=0")
    plain = SiteDataset(records, images, found.tokenizer, found.standardisation)
    one, other = cached(found).batch([3, 1], step()), plain.batch([3, 1], step())
    assert torch.equal(one.image, other.image)
    assert one.image_trunk is None
    assert one.note.trunk is not None
    assert [name.split("-")[0] for name in names_in(tmp_path / "features")] == ["text"]


def test_a_model_without_a_trunk_has_no_cache_and_nothing_is_said(
    small_config: Callable[..., object], reading: MakeReading, cached: MakeDataset, tmp_path: Path
) -> None:
    heard = Heard()
    found = reading(
        DRAWS,
        "model.image.frozen_blocks=0",
        "model.text.frozen_blocks=0",
        "model.text.freeze_embeddings=false",
    )
    with heard_by(heard):
        batch = cached(found).batch([0, 1], step())
    assert batch.image_trunk is None
    assert batch.note.trunk is None
    assert heard.said == heard.steps == []
    assert not (tmp_path / "features").exists()


def test_the_size_is_said_before_anything_is_built_and_progress_after(
    reading: MakeReading, cached: MakeDataset, tmp_path: Path, records: pd.DataFrame
) -> None:
    heard = Heard()
    with heard_by(heard):
        cached(reading(DRAWS))
    train = int((records["split"] == "train").sum())
    validation = int((records["split"] == "validation").sum())
    texts, photographs = heard.said
    assert "notes" in texts
    assert photographs.endswith(f"for {train + validation} photographs, 3 draws")
    size = file_of(tmp_path / "features", "image").stat().st_size
    assert photographs.startswith(f"trunk cache: {size / 1e3:,.0f}"[:-2])
    total = 3 * train + validation
    assert [done for done, _, unit in heard.steps if unit == "views"] == list(range(1, total + 1))


def test_a_cache_of_another_trunk_scale_augmentation_or_seed_is_never_used(
    reading: MakeReading, cached: MakeDataset, counted: list[str], tmp_path: Path
) -> None:
    first = reading(DRAWS)
    cached(first)
    scale = replace(first.standardisation, image_mean=(0.1, 0.2, 0.3))
    for other in (
        reading(DRAWS, seed=1),
        reading(DRAWS, standardisation=scale),
        reading(DRAWS, "training.augmentation.rotation_degrees=5"),
        reading(DRAWS, "seed=1"),
        reading(DRAWS, "model.image.heads=4"),
    ):
        counted.clear()
        dataset = cached(other)
        assert counted.count("image") > 20
        rows = dataset.rows_of("train")[:2].tolist()
        kept = dataset.batch(rows, step()).image_trunk
        assert kept is not None
        exact = trunk_of_batch(other, dataset, rows)
        assert float((kept - exact).norm() / exact.norm()) < 3e-4
    assert len([name for name in names_in(tmp_path / "features") if name.startswith("image")]) == 6


def test_the_fingerprint_is_of_the_frozen_tensors_of_one_encoder_alone(reading: MakeReading) -> None:
    model, other = reading().model, reading().model
    with torch.no_grad():
        for parameter in other.parameters():
            if parameter.requires_grad:
                parameter.add_(1.0)
    assert trunk_of(model.image_encoder) == trunk_of(other.image_encoder)  # type: ignore[arg-type]
    assert trunk_of(model.text_encoder) == trunk_of(other.text_encoder)  # type: ignore[arg-type]
    with torch.no_grad():
        other.image_encoder.vit.blocks[0].mlp.fc1.bias[0] += 1e-3  # type: ignore[union-attr]
    assert trunk_of(model.image_encoder) != trunk_of(other.image_encoder)  # type: ignore[arg-type]
    assert trunk_of(model.text_encoder) == trunk_of(other.text_encoder)  # type: ignore[arg-type]


@pytest.mark.parametrize("vault", [VAULT, None], ids=["sealed", "plain"])
def test_a_damaged_entry_is_computed_again_and_said_once(
    reading: MakeReading, cached: MakeDataset, tmp_path: Path, vault: Vault | None, counted: list[str]
) -> None:
    found, folder = reading(DRAWS), tmp_path / "features"

    def everything(dataset: SiteDataset) -> list[torch.Tensor]:
        steps = [dataset.batch(dataset.rows_of("train"), step(seed)) for seed in range(12)]
        return [batch.image_trunk for batch in steps]  # type: ignore[misc]

    whole = everything(cached(found, TrunkCache(folder, vault)))
    path = file_of(folder, "image")
    content = bytearray(path.read_bytes())
    for position in (500, len(content) // 2):
        content[position] ^= 1
    path.write_bytes(content)
    counted.clear()
    heard = Heard()
    with heard_by(heard):
        again = everything(cached(found, TrunkCache(folder, vault)))
    assert counted == ["image", "image"]
    (said,) = heard.said
    assert "damaged" in said
    assert all(torch.equal(one, other) for one, other in zip(whole, again, strict=True))
    everything(cached(found, TrunkCache(folder, vault)))
    assert counted == ["image", "image"]


def test_sites_that_share_a_folder_build_it_once_for_all(
    reading: MakeReading, records: pd.DataFrame, images: ImageStore, tmp_path: Path, counted: list[str]
) -> None:
    found, heard = reading(DRAWS), Heard()
    cache = TrunkCache(tmp_path / "features", whole=lambda: (records, images))
    halves = [
        records[records["patient_id"].astype(int) % 2 == part].reset_index(drop=True) for part in (0, 1)
    ]
    with heard_by(heard):
        first = cache.dataset(halves[0], images, found)
        built = len(counted)
        second = cache.dataset(halves[1], images, found)
    assert built > 20
    assert len(counted) == built
    assert len(heard.said) == 2
    for site in (first, second):
        site.batch(site.rows_of("train"), step())
        if len(site.rows_of("validation")):
            site.batch(site.rows_of("validation"))
    assert len(counted) == built
    other = TrunkCache(tmp_path / "features").dataset(halves[1], images, found)  # as another process would
    other.batch(other.rows_of("train"), step())
    assert len(counted) == built


def test_features_beyond_half_precision_are_computed_every_time_and_not_kept(
    reading: MakeReading, cached: MakeDataset
) -> None:
    found, heard = reading(DRAWS), Heard()
    assert found.model.image_encoder is not None
    with torch.no_grad():
        found.model.image_encoder.vit.blocks[1].mlp.fc2.bias[0] = 1e6
    with heard_by(heard):
        dataset = cached(found)
        rows = dataset.rows_of("train")[:4].tolist()
        batch = dataset.batch(rows, step())
    tokens = found.model.embed_image(batch.image, batch.image_trunk).tokens
    assert torch.allclose(tokens, found.model.embed_image(batch.image).tokens, atol=1e-4)


def test_names_tell_photographs_from_notes(reading: MakeReading) -> None:
    found = reading(DRAWS)
    assert found.model.text_encoder is not None
    assert text_name(found.model.text_encoder, found.config.model.text).startswith("text-")
    assert image_name_of(found).startswith("image-")
    assert np.unique([image_name_of(reading(DRAWS)) for _ in range(2)]).size == 1
