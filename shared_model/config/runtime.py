"""The keys of `[runtime]`: the machine that a run uses, and which of its shortcuts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared_model.config.section import Natural, Section

Precision = Literal["fp32", "bf16", "fp16"]


class RuntimeConfig(Section):
    """Engine, processes, device, number format and threads.

    What is left to a probe ("auto", 0) is written into the config.toml of a result as it was found.
    """

    engine: Literal["inline", "ray"] = "inline"
    jobs: Natural = 0  # processes; 0 is one per core
    device: Literal["auto", "cpu", "cuda"] = "auto"  # auto: CUDA where there is one
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"  # auto: reduced where a probe gains by it
    threads: Annotated[int, Field(ge=0, le=256)] = 0  # torch threads in each process; 0: by a probe
    plain: bool = False  # true: stock code's way of computing, without shortcuts or trunk caches
