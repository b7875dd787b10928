from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from shared_model.config import Config
from shared_model.model import build_model
from shared_model.model.normalisation import group_norm


@pytest.mark.parametrize("channels", range(1, 129))
def test_any_number_of_channels_is_normalised_and_multiples_of_eight_in_groups_of_eight(
    channels: int,
) -> None:
    norm = group_norm(channels)
    assert channels % norm.num_groups == 0
    if channels % 8 == 0:
        assert norm.num_groups == channels // 8


def test_odd_channel_counts_of_stem_and_decoder_give_a_model(small_config: Callable[..., Config]) -> None:
    sizes = ("model.image.width=20", "model.decoders.image_channels=[8, 20, 13]")
    model = build_model(small_config(*sizes).model).eval()
    with torch.no_grad():
        assert model.embed_image(torch.zeros(1, 3, 64, 64)).tokens.shape == (1, 17, 32)
        assert model.image_decoder is not None
        assert model.image_decoder(torch.zeros(1, 32)).shape == (1, 3, 64, 64)
