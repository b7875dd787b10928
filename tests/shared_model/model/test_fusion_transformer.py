"""The fusion transformer computes what PyTorch's own encoder computes, of the tokens that are read."""

import pytest
import torch
from torch import Tensor

from shared_model.config.schema import FusionConfig
from shared_model.model.dropout import dropout, keep_mask
from shared_model.model.fusion_transformer import FusionTransformer, fusion_transformer

READ = [0, 5, 9]


def transformer(probability: float = 0.0) -> FusionTransformer:
    torch.manual_seed(3)
    made = fusion_transformer(FusionConfig(width=32, depth=3, heads=4, feed_forward=64, dropout=probability))
    assert isinstance(made, FusionTransformer)
    for parameter in made.parameters():  # PyTorch starts all layers and biases alike
        torch.nn.init.normal_(parameter, std=0.2)
    return made


def tokens() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    padding = torch.zeros(4, 12, dtype=torch.bool)
    padding[1, 10:] = padding[2, 6:9] = True
    return torch.randn(4, 12, 32, generator=generator), padding


def both(given: Tensor, padding: Tensor | None, *, training: bool) -> tuple[list[Tensor], list[Tensor]]:
    """Output and all gradients: ours, and PyTorch's own."""
    results = []
    for plain in (False, True):
        fusion = transformer().train(training)
        fusion.plain = plain
        x = given.clone().requires_grad_()
        out = fusion(x, padding, READ)
        out.square().sum().backward()  # type: ignore[no-untyped-call]
        gradients = [p.grad for p in fusion.parameters()]
        results.append([out.detach(), x.grad, *gradients])
    return results[0], results[1]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("padded", [True, False])
def test_outputs_and_gradients_are_those_of_the_whole_encoder(training: bool, padded: bool) -> None:
    given, padding = tokens()
    ours, theirs = both(given, padding if padded else None, training=training)
    for one, other in zip(ours, theirs, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-4)


def test_parameters_keep_the_names_of_the_encoder() -> None:
    plain = torch.nn.TransformerEncoder(
        torch.nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, norm_first=True),
        3,
        norm=torch.nn.LayerNorm(32),
        enable_nested_tensor=False,
    )
    assert list(transformer().state_dict()) == list(plain.state_dict())


def test_dropout_keeps_the_mean_and_drops_the_share_it_is_asked_for() -> None:
    x = torch.ones(1 << 20, requires_grad=True)
    torch.manual_seed(0)
    found = dropout(x, 0.1, training=True)
    dropped = float((found == 0).double().mean())
    assert dropped == pytest.approx(0.1, abs=5 * (0.09 / x.numel()) ** 0.5)  # five standard errors
    assert torch.allclose(found[found != 0], torch.tensor(1 / 0.9))
    found.sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert torch.equal(x.grad, found.detach())  # the same mask, the same scale


def test_masks_follow_the_seed_and_differ_from_each_other() -> None:
    shape = torch.Size([64, 512])
    torch.manual_seed(1)
    one, other = keep_mask(shape, 0.5), keep_mask(shape, 0.5)
    torch.manual_seed(1)
    again = keep_mask(shape, 0.5)
    assert torch.equal(one, again)
    assert float((one == other).double().mean()) == pytest.approx(0.5, abs=0.02)


def test_neighbours_in_a_mask_are_independent() -> None:
    torch.manual_seed(2)
    keep = keep_mask(torch.Size([1 << 20]), 0.3).double()
    for lag in (1, 2, 3, 4, 8):
        joint = float((keep[lag:] * keep[:-lag]).mean())
        assert joint == pytest.approx(0.49, abs=0.003)


@pytest.mark.parametrize("size", [8, 1 << 15])
def test_no_dropout_outside_training_and_all_of_it_at_probability_one(size: int) -> None:
    x = torch.randn(size)
    assert dropout(x, 0.5, training=False) is x
    assert dropout(x, 0.0, training=True) is x
    assert not bool(dropout(x, 1.0, training=True).any())


def test_training_with_dropout_averages_to_the_encoder_without() -> None:
    fusion = transformer(0.1).train()
    given, padding = tokens()
    with torch.no_grad():
        torch.manual_seed(0)
        big = given.repeat(64, 1, 1), padding.repeat(64, 1)  # large enough for the fast draws
        found = torch.stack([fusion(*big, READ) for _ in range(8)]).mean(dim=0)
        mean = found.view(64, 4, 3, 32).mean(dim=0)
        fusion.plain = True
        torch.manual_seed(0)
        theirs = torch.stack([fusion(*big, READ) for _ in range(8)]).mean(dim=0)
        expected = theirs.view(64, 4, 3, 32).mean(dim=0)
    assert float((mean - expected).abs().mean()) < 0.05
