from __future__ import annotations

import pytest

from shared_model.config import load_config
from shared_model.config.exchange import CODECS, ExchangeConfig
from shared_model.errors import ConfigError
from simulations.baselines import alone


def test_the_paper_packs_what_travels_and_tiny_does_not() -> None:
    paper = load_config("paper").exchange
    assert (paper.uplink, paper.downlink, paper.error_feedback, paper.stochastic_rounding) == (
        "int8",
        "bf16",
        True,
        True,
    )
    assert load_config("tiny").exchange == ExchangeConfig()
    assert ExchangeConfig().plain


@pytest.mark.parametrize("way", ["uplink", "downlink"])
def test_one_setting_switches_each_way_off(way: str) -> None:
    found = load_config("paper", overrides=[f"exchange.{way}=fp32"]).exchange
    assert getattr(found, way) == "fp32"
    assert not found.plain


@pytest.mark.parametrize("key", ["exchange.uplink", "exchange.downlink"])
def test_a_codec_that_does_not_exist_is_named_with_its_key(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config("tiny", overrides=[f"{key}=int4"])
    assert caught.value.where == key
    assert all(codec in str(caught.value) for codec in (*CODECS, "int4"))


def test_a_baseline_has_no_network_and_is_not_packed() -> None:
    assert alone(load_config("paper"), 3).exchange.plain
