from __future__ import annotations

from collections.abc import Callable

import pytest

from shared_model.config import Config
from simulations.bench.exchange import exchange_bytes


@pytest.mark.slow
def test_a_round_of_the_papers_model_is_within_its_bytes() -> None:
    found = exchange_bytes()
    assert (found["uplink"], found["downlink"]) == ("int8", "bf16")
    assert found["plain"] > 860e6
    assert found["bytes_up"] <= 40e6
    assert found["bytes_down"] <= 80e6
    assert found["bytes_down_change"] <= 40e6
    assert found["ratio_up"] == found["bytes_up"] / found["plain"]
    for adapted in found["adapters"].values():
        assert adapted["plain"] == pytest.approx(found["plain"], abs=1000)  # the softmax weights of losses
        assert (adapted["uplink"], adapted["downlink"]) == ("int8", "int8")
        assert adapted["bytes_up"] <= 12e6
        assert adapted["bytes_down"] <= 12e6
        assert adapted["bytes_down_whole"] <= 24e6


@pytest.mark.parametrize(("codec", "each"), [("fp32", 4), ("bf16", 2), ("int8", 1)])
def test_each_codec_costs_its_bytes_a_number(
    codec: str, each: int, small_config: Callable[..., Config]
) -> None:
    found = exchange_bytes(small_config(f"exchange={{uplink='{codec}', downlink='{codec}'}}"))
    for way in ("up", "down"):
        overhead = found[f"bytes_{way}"] - each * found["parameters"]
        assert 0 < overhead < 40_000  # headers and scales of a model of a hundred small tensors
        assert found[f"ratio_{way}"] == found[f"bytes_{way}"] / found["plain"]
