"""An encoder's frozen part runs apart from the rest, and the two together are the encoder."""

from typing import Any

import torch
from transformers import BertModel

from shared_model.config import load_config
from shared_model.model import build_model
from shared_model.model.fusion_model import FusionModel, TextBatch

SMALL: dict[str, Any] = {
    "model__image__stem": "patch",
    "model__image__depth": 3,
    "model__image__frozen_blocks": 2,
    "model__image__size": 64,
    "model__text__depth": 3,
    "model__text__frozen_blocks": 2,
    "model__text__freeze_embeddings": True,
}


def small(**changes: Any) -> FusionModel:
    return build_model(load_config("tiny", **(SMALL | changes)).model, seed=1)


def notes() -> TextBatch:
    ids = torch.randint(5, 900, (3, 9), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    return TextBatch(ids, mask)


def test_trunk_and_rest_give_what_timm_gives() -> None:
    encoder = small().image_encoder
    assert encoder is not None
    assert encoder.has_trunk
    encoder.eval()
    image = torch.randn(2, 3, 64, 64)
    assert torch.equal(encoder.finish(encoder.trunk(image)), encoder.vit.forward_features(image))


def test_trunk_and_rest_give_what_transformers_gives() -> None:
    encoder = small().text_encoder
    assert encoder is not None
    assert encoder.has_trunk
    assert isinstance(encoder.encoder, BertModel)
    encoder.eval()
    batch = notes()
    expected = encoder.encoder(input_ids=batch.ids, attention_mask=batch.mask).last_hidden_state
    found = encoder(batch.ids, batch.mask)
    real = batch.mask.bool()
    assert torch.equal(found[real], expected[real])


def test_a_trunk_known_already_gives_the_same_tokens() -> None:
    model = small().eval()
    assert model.image_encoder is not None
    assert model.text_encoder is not None
    image, batch = torch.randn(2, 3, 64, 64), notes()
    known = batch._replace(trunk=model.text_encoder.trunk(batch.ids, batch.mask))
    assert torch.equal(model.embed_text(known).tokens, model.embed_text(batch).tokens)
    trunk = model.image_encoder.trunk(image)
    assert torch.equal(model.embed_image(image, trunk).tokens, model.embed_image(image).tokens)


def test_padding_of_a_known_trunk_is_never_read() -> None:
    model = small().eval()
    assert model.text_encoder is not None
    batch = notes()
    trunk = model.text_encoder.trunk(batch.ids, batch.mask)
    zeroed = trunk.masked_fill(batch.mask.unsqueeze(2) == 0, 0.0)
    real = batch.mask.bool()
    one, other = (model.embed_text(batch._replace(trunk=t)).tokens[real] for t in (trunk, zeroed))
    assert torch.allclose(one, other, atol=1e-6)


def test_the_trunk_has_no_gradient_and_no_dropout_even_in_training() -> None:
    model = small().train()
    assert model.image_encoder is not None
    assert model.text_encoder is not None
    batch, image = notes(), torch.randn(2, 3, 64, 64)
    one, other = (model.text_encoder.trunk(batch.ids, batch.mask) for _ in range(2))
    assert torch.equal(one, other)
    assert not one.requires_grad
    assert not model.image_encoder.trunk(image).requires_grad
    model.embed_text(batch).tokens.sum().backward()  # type: ignore[no-untyped-call]
    model.embed_image(image).tokens.sum().backward()  # type: ignore[no-untyped-call]
    for name, parameter in model.named_parameters():
        reached = parameter.grad is not None
        assert not reached or parameter.requires_grad, name
    assert model.text_encoder.encoder.encoder.layer[2].output.dense.weight.grad is not None
    assert model.image_encoder.vit.blocks[2].mlp.fc1.weight.grad is not None


def test_where_nothing_is_frozen_there_is_no_trunk() -> None:
    model = build_model(load_config("tiny").model)
    assert model.image_encoder is not None
    assert not model.image_encoder.has_trunk
    assert model.text_encoder is not None
    assert not model.text_encoder.has_trunk


def test_trained_embeddings_leave_no_trunk_since_gradients_must_pass() -> None:
    model = small(model__text__freeze_embeddings=False)
    assert model.text_encoder is not None
    assert not model.text_encoder.has_trunk
    model.embed_text(notes()).tokens.sum().backward()  # type: ignore[no-untyped-call]
    assert model.text_encoder.encoder.embeddings.word_embeddings.weight.grad is not None


def test_a_family_with_a_forward_pass_of_its_own_is_run_whole() -> None:
    model = small(
        model__image__name="eva02_tiny_patch14_224",
        model__image__size=112,
        model__image__width=0,
        model__image__heads=0,
        model__image__depth=0,
        model__image__frozen_blocks=10,
    )
    assert model.image_encoder is not None
    assert not model.image_encoder.has_trunk
    image = torch.randn(1, 3, 112, 112)
    model.eval()
    assert torch.equal(model.image_encoder(image), model.image_encoder.vit.forward_features(image))
