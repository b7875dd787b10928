"""What a model is trained on: the device, its number format and its threads, by a probe where nobody has said.

A processor's data sheet does not tell. Some announce bf16 units and multiply in bf16 at half the speed of fp32; a
second thread beside a busy neighbour can cost ten times what it saves. So both are timed before they are used.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache

import torch

from client.training.full_precision import full_precision
from shared_model.config import Config
from shared_model.config.runtime import Precision, RuntimeConfig
from shared_model.errors import ConfigError

FORMATS = {"bf16": torch.bfloat16, "fp16": torch.float16}
_ROWS, _WIDTH = 1576, 768  # a batch of 8 photographs of 197 tokens in a ViT-B: what most of a step multiplies
_REPEATS = 5
BF16_WORTH = 1.2  # a gain below this is not told from noise, and is not worth another number format
_THREAD_WORTH = 1.1


@dataclass(frozen=True)
class Machine:
    """device: "cpu" or "cuda". threads: of PyTorch's operations on the processor. plain: see RuntimeConfig."""

    device: str = "cpu"
    precision: Precision = "fp32"
    threads: int = 1
    plain: bool = False

    def autocast(self) -> AbstractContextManager[object]:
        """Where matrix products and convolutions are computed in this precision."""
        if self.precision not in FORMATS:
            return full_precision()
        return torch.autocast(self.device, FORMATS[self.precision])

    def in_full(self) -> AbstractContextManager[object]:
        """Around backward passes too, which `autocast` is not: where the precision is fp32, no TF32 in its place."""
        return nullcontext() if self.precision in FORMATS else full_precision()

    def scaler(self) -> torch.amp.GradScaler:
        """Keeps fp16 gradients from vanishing; does nothing in the other formats."""
        return torch.amp.GradScaler(self.device, init_scale=2.0**12, enabled=self.precision == "fp16")

    def describe(self) -> str:
        """For people: "cpu, 2 threads, fp32"."""
        return f"{self.device}, {self.threads} thread{'s' * (self.threads != 1)}, {self.precision}"


PLAIN = Machine()


@lru_cache(maxsize=8)
def machine_of(runtime: RuntimeConfig, processes: int = 1) -> Machine:
    """The machine as the configuration has it, probed where that leaves it open.

    processes: how many train beside each other, which share the cores. Raises ConfigError for a device that is not
    there or a format that it does not have.
    """
    device = device_of(runtime)
    cores = max(1, len(os.sched_getaffinity(0)) // max(1, processes))
    threads = runtime.threads or (best_threads(cores) if device == "cpu" else cores)
    precision: Precision = "fp32"
    if runtime.precision != "auto":
        precision = runtime.precision
    elif device == "cuda":
        precision = "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    elif bf16_gain(threads) >= BF16_WORTH:
        precision = "bf16"
    return Machine(device, precision, threads, runtime.plain)


def on_this_machine(config: Config, processes: int = 1) -> Config:
    """The configuration with the machine's device, precision and threads written into it."""
    machine = machine_of(config.runtime, processes)
    runtime = config.runtime.model_copy(
        update={"device": machine.device, "precision": machine.precision, "threads": machine.threads}
    )
    return config.model_copy(update={"runtime": runtime})


@lru_cache(maxsize=8)
def bf16_gain(threads: int) -> float:
    """How many times faster a matrix product with its gradients is in bf16 than in fp32 on this processor."""
    return _with_threads(threads, lambda: _ratio(_product(torch.float32), _product(torch.bfloat16)))


@lru_cache(maxsize=8)
def best_threads(cores: int) -> int:
    """The number of threads, of 1, 2, 4 ... `cores`, beyond which twice as many gain less than a tenth."""
    best = 1
    for count in sorted({min(2**power, cores) for power in range(1, cores.bit_length() + 1)} - {1}):
        if _thread_gain(best, count) < _THREAD_WORTH:
            break
        best = count
    return best


def _thread_gain(fewer: int, more: int) -> float:
    def timed(threads: int) -> Callable[[], None]:
        product = _product(torch.float32)

        def run() -> None:
            torch.set_num_threads(threads)
            product()

        return run

    return _with_threads(fewer, lambda: _ratio(timed(fewer), timed(more)))


def _with_threads(threads: int, measure: Callable[[], float]) -> float:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return measure()
    finally:
        torch.set_num_threads(before)


def _ratio(one: Callable[[], None], other: Callable[[], None]) -> float:
    """Time of one over time of the other, the best of alternating repeats: noise only ever adds."""
    times: tuple[list[float], list[float]] = ([], [])
    for run in (one, other):  # the first of each warms up
        run()
    for _ in range(_REPEATS):
        for spent, run in zip(times, (one, other), strict=True):
            started = time.perf_counter()
            run()
            spent.append(time.perf_counter() - started)
    return min(times[0]) / min(times[1])


def _product(format: torch.dtype) -> Callable[[], None]:
    layer = torch.nn.Linear(_WIDTH, _WIDTH)
    x = torch.randn(_ROWS, _WIDTH, generator=torch.Generator().manual_seed(0), requires_grad=True)
    enabled = format != torch.float32

    def run() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            out = layer(x)
        out.float().sum().backward()

    return run


def device_of(runtime: RuntimeConfig) -> str:
    """ "cpu" or "cuda". Raises ConfigError for a device that is not there or a format that it does not have."""
    there = torch.cuda.is_available()
    if runtime.device == "cuda" and not there:
        raise ConfigError(
            "PyTorch finds no CUDA device",
            where="runtime.device",
            fix='install the driver, or set it to "auto" or "cpu"',
        )
    device = "cuda" if there and runtime.device != "cpu" else "cpu"
    if runtime.precision == "fp16" and device == "cpu":
        raise ConfigError(
            "fp16 needs a CUDA device",
            where="runtime.precision",
            fix='set it to "auto", "bf16" or "fp32"',
        )
    return device
