"""A small synthetic data set, drawn once a session, and the command line called in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import client.worker.worker as worker_module
from simulations import cli
from simulations.synthesis.dataset import synthesize

# The tiny preset made smaller still: what is tested with it is the machinery, not the learning.
SMALL = (
    "model.image.size=64 model.image.width=32 model.image.depth=1 model.text.width=32 model.fusion.width=32 "
    "model.fusion.depth=1 model.fusion.joint=32 model.decoders.image_channels=[8,8] training.batch_size=8 "
    "training.local_steps=2 evaluation.resamples=50"
)


class Outcome(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synthetic") / "data"
    synthesize(folder, patients=48, test_patients=12, seed=3, processes=1)
    return folder


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """`fedfundus-simulate ARGUMENTS` in this process."""

    def call(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["fedfundus-simulate", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        shown = capsys.readouterr()
        code = ended.value.code
        return Outcome(code if isinstance(code, int) else 0, shown.out, shown.err)

    return call


@pytest.fixture
def small() -> list[str]:
    """`--set` arguments of the smallest model."""
    return [part for item in SMALL.split() for part in ("--set", item)]


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sites that were trained, in order."""
    seen: list[str] = []
    original = worker_module.train

    def train(*arguments: Any, site: str, **named: Any) -> Any:
        seen.append(site)
        return original(*arguments, site=site, **named)

    monkeypatch.setattr(worker_module, "train", train)
    return seen
