"""What a run computes on is what was asked for, or what a probe found; a wish that cannot be met is named."""

import pytest
import torch

from client.training.machine import Machine, best_threads, bf16_gain, machine_of, on_this_machine
from shared_model.config import load_config
from shared_model.config.runtime import RuntimeConfig
from shared_model.errors import ConfigError


def test_what_is_asked_for_is_what_is_used() -> None:
    asked = RuntimeConfig(device="cpu", precision="bf16", threads=3)
    assert machine_of(asked) == Machine("cpu", "bf16", 3)


def test_the_probe_decides_what_was_left_open_and_leaves_the_threads_as_they_were() -> None:
    before = torch.get_num_threads()
    config = on_this_machine(load_config("paper", runtime__device="cpu"), processes=1)
    assert config.runtime.precision in {"fp32", "bf16"}
    assert (config.runtime.precision == "bf16") == (bf16_gain(config.runtime.threads) >= 1.2)
    assert config.runtime.threads >= 1
    assert torch.get_num_threads() == before


def test_processes_beside_each_other_share_the_cores() -> None:
    assert machine_of(RuntimeConfig(device="cpu", precision="fp32"), processes=10_000).threads == 1
    assert best_threads(1) == 1


def test_the_tiny_preset_computes_the_same_on_every_machine() -> None:
    config = load_config("tiny")
    assert on_this_machine(config) == config


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is there")
def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match="no CUDA device") as raised:
        machine_of(RuntimeConfig(device="cuda"))
    assert raised.value.where == "runtime.device"


def test_half_precision_without_cuda_is_refused() -> None:
    with pytest.raises(ConfigError, match="fp16 needs a CUDA device"):
        machine_of(RuntimeConfig(device="cpu", precision="fp16"))


def test_autocast_computes_products_in_its_format_and_fp32_leaves_them() -> None:
    x = torch.randn(4, 4)
    with Machine("cpu", "bf16", 1).autocast():
        assert (x @ x).dtype == torch.bfloat16
    with Machine("cpu", "fp32", 1).autocast():
        assert (x @ x).dtype == torch.float32
