from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import pytest
import torch

from shared_model.errors import ConfigError, DataError
from shared_model.losses import Batch, Objective
from shared_model.model import FusionModel, TextBatch, build_model

SUBSETS = [set(s) for n in (1, 2, 3) for s in combinations(("image", "text", "structured"), n)]


@pytest.fixture(scope="module")
def model(small_objective: Callable[..., Objective]) -> FusionModel:
    return small_objective().model.eval()


def inputs(batch: Batch, names: set[str]) -> dict[str, object]:
    return {
        name: value
        for name, value in {"image": batch.image, "text": batch.note, "structured": batch.structured}.items()
        if name in names
    }


def embedded(model: FusionModel, batch: Batch) -> dict[str, object]:
    return {
        "image": model.embed_image(batch.image),
        "text": model.embed_text(batch.note),
        "structured": model.embed_structured(batch.structured),
    }


def close(a: torch.Tensor, b: torch.Tensor) -> bool:
    return bool((a - b).abs().max() <= 1e-5)


@pytest.mark.parametrize("names", SUBSETS, ids=lambda s: "+".join(sorted(s)))
def test_any_subset_of_modalities_is_encoded(
    names: set[str], model: FusionModel, make_batch: Callable[..., Batch]
) -> None:
    encoding = model.encode(**inputs(make_batch(4), names))
    assert set(encoding.cls) == names == set(encoding.present)
    assert all(cls.shape == (4, 32) for cls in encoding.cls.values())
    assert encoding.joint.shape == (4, 32)
    assert torch.isfinite(encoding.joint).all()
    assert set(model.grade(encoding)) == {"icdr", "sdrg"}


def test_every_subset_has_a_joint_embedding_of_its_own(
    model: FusionModel, make_batch: Callable[..., Batch]
) -> None:
    batch = make_batch(1)
    joints = [model.encode(**inputs(batch, names)).joint for names in SUBSETS]
    assert all(not close(a, b) for a, b in combinations(joints, 2))


@pytest.mark.parametrize("names", SUBSETS, ids=lambda s: "+".join(sorted(s)))
def test_a_sample_that_lacks_a_modality_is_encoded_as_without_it(
    names: set[str], model: FusionModel, make_batch: Callable[..., Batch]
) -> None:
    batch = make_batch(4)
    present = {
        name: torch.tensor([True, name in names, True, name in names])
        for name in ("image", "text", "structured")
    }
    mixed = model.fuse(embedded(model, batch), present)
    without = model.encode(**inputs(batch, names))
    whole = model.encode(**inputs(batch, {"image", "text", "structured"}))
    for row, reference in ((1, without), (3, without), (0, whole), (2, whole)):
        assert close(mixed.joint[row], reference.joint[row])
        assert all(close(mixed.cls[name][row], cls[row]) for name, cls in reference.cls.items())


def test_what_an_absent_modality_holds_does_not_matter(
    model: FusionModel, make_batch: Callable[..., Batch]
) -> None:
    batch = make_batch(4)
    parts = embedded(model, batch)
    present = {"image": torch.tensor([False, True, True, True])}
    other = batch.image.clone()
    other[0] = 1e3
    a = model.fuse(parts, present).joint
    b = model.fuse({**parts, "image": model.embed_image(other)}, present).joint
    assert torch.equal(a, b)


def test_padding_of_notes_does_not_change_the_encoding(
    model: FusionModel, make_batch: Callable[..., Batch]
) -> None:
    batch = make_batch(4)
    ids, mask = batch.note[:2]
    longer = TextBatch(torch.nn.functional.pad(ids, (0, 9), value=0), torch.nn.functional.pad(mask, (0, 9)))
    for names in ({"text"}, {"image", "text", "structured"}):
        given = inputs(batch, names)
        a, b = model.encode(**given), model.encode(**{**given, "text": longer})
        assert close(a.joint, b.joint)
        assert all(close(a.cls[name], b.cls[name]) for name in names)
    garbage = TextBatch(torch.where(longer.mask == 0, 77, longer.ids), longer.mask)
    assert close(model.encode(text=longer).joint, model.encode(text=garbage).joint)


def test_samples_of_a_batch_do_not_see_each_other(
    model: FusionModel, make_batch: Callable[..., Batch]
) -> None:
    batch = make_batch(4)
    changed = batch.image.clone()
    changed[1:] += 1
    a = model.encode(batch.image, batch.note, batch.structured).joint
    b = model.encode(changed, batch.note, batch.structured).joint
    assert close(a[0], b[0])
    assert not close(a[1], b[1])


def test_a_unimodal_vector_depends_on_its_modality_alone(
    model: FusionModel, make_batch: Callable[..., Batch]
) -> None:
    batch, other = make_batch(4), make_batch(4, seed=1)
    assert torch.equal(model.encode(text=batch.note).cls["text"], model.encode(text=other.note).cls["text"])
    paired, repaired = (model.encode(image=b.image, text=batch.note).cls["text"] for b in (batch, other))
    assert not close(paired, repaired)


def test_nothing_to_encode_is_refused(model: FusionModel, make_batch: Callable[..., Batch]) -> None:
    with pytest.raises(DataError, match="at least one of image, text and structured"):
        model.encode()
    batch = make_batch(2)
    nobody = {name: torch.tensor([True, False]) for name in ("image", "text", "structured")}
    with pytest.raises(DataError, match="no modality at all"):
        model.fuse(embedded(model, batch), nobody)


def test_only_the_first_tokens_of_a_note_reach_fusion(small_config: Callable[..., object]) -> None:
    model = build_model(small_config("model.text.kept_tokens=5").model)
    ids = torch.randint(5, 100, (2, 30))
    assert model.embed_text(TextBatch(ids, torch.ones_like(ids))).tokens.shape == (2, 6, 32)


def test_the_text_decoder_cannot_read_ahead(model: FusionModel) -> None:
    ids = torch.randint(5, 100, (1, 10))
    changed = ids.clone()
    changed[0, 6:] += 1
    cls = torch.randn(1, 32)
    a, b = model.text_decoder(cls, ids), model.text_decoder(cls, changed)
    assert close(a[:, :6], b[:, :6])
    assert not close(a[:, 6:], b[:, 6:])


def test_the_same_seed_builds_the_same_model_and_spares_the_callers_generator(
    small_config: Callable[..., object],
) -> None:
    config = small_config().model
    before = torch.random.get_rng_state()
    a, b, c = (build_model(config, seed=seed).state_dict() for seed in (0, 0, 1))
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert any(not torch.equal(a[name], c[name]) for name in a)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("model.image.name=vit_of_nobody", "timm has no model"),
        ("model.image.name=resnet18", "not a vision transformer"),
        (
            "model.image.frozen_blocks=2",
            r"has 1 blocks, 2 cannot be frozen[\s\S]*model\.image\.frozen_blocks",
        ),
        ("model.text.frozen_blocks=2", r"has 1 blocks, 2 cannot be frozen[\s\S]*model\.text\.frozen_blocks"),
        ("model.decoders.image_channels=[8,8,8,8,8,8,8]", "cannot be reached from 7 doublings"),
        ("model.text.width=0", "hub cache"),
        ("model.image={width=0, heads=5}", r"cannot be built[\s\S]*model\.image"),
        ("model.image={name='vit_tiny_patch16_224.nobody'}", r"cannot be built[\s\S]*model\.image"),
    ],
)
def test_a_model_that_cannot_be_built_names_the_key(
    override: str, words: str, small_config: Callable[..., object]
) -> None:
    config = small_config(override, "model.text.name=nobody/absent")
    with pytest.raises(ConfigError, match=words):
        build_model(config.model)
