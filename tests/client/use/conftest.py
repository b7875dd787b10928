"""A model of a few thousand numbers put to use on photographs of noise, with operating points of its own."""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from model_in_use import CALIBRATION, Command, Said, SaveModel

from client import cli
from client.data.images import PIPELINE_VERSION
from shared_model.artefact import save_artefact
from shared_model.calibration import Calibration
from shared_model.config import Config
from shared_model.held_out import HeldOut
from shared_model.losses import Objective
from shared_model.model import Tokenizer
from shared_model.statistics import Standardisation


@pytest.fixture(scope="session")
def save_model(
    tmp_path_factory: pytest.TempPathFactory,
    small_config: Callable[..., Config],
    small_objective: Callable[..., Objective],
    tokenizer: Tokenizer,
    standardisation: Standardisation,
) -> SaveModel:
    """A model folder; overrides change the model, `calibration` and `held_out` what goes with it."""

    def save(
        *overrides: str,
        calibration: Calibration | None = CALIBRATION,
        held_out: HeldOut | None = None,
        **changes: object,
    ) -> Path:
        folder = tmp_path_factory.mktemp("finished") / "model"
        objective = small_objective(*overrides, seed=5)
        told = standardisation.to_dict() | changes
        save_artefact(
            folder,
            objective,
            tokenizer,
            small_config(*overrides),
            told,
            PIPELINE_VERSION,
            calibration,
            held_out,
        )
        return folder

    return save


@pytest.fixture(scope="session")
def model(save_model: SaveModel) -> Path:
    return save_model()


@pytest.fixture
def photographs(data_folder: Path, tmp_path: Path) -> Path:
    """Six good photographs in two folders, a truncated one among them, and a file that is none."""
    folder = tmp_path / "photographs"
    (folder / "monday").mkdir(parents=True)
    (folder / "tuesday" / "late").mkdir(parents=True)
    paths = sorted((data_folder / "fundus_photos").iterdir())
    for place, path in enumerate(paths[:6]):
        shutil.copy(path, folder / ("monday" if place < 4 else "tuesday/late") / path.name)
    (folder / "monday" / "torn.jpg").write_bytes(paths[7].read_bytes()[:900])
    (folder / "readme.txt").write_text("not a photograph")
    (folder / "monday" / "._img00000.jpg").write_bytes(b"what a Mac leaves")
    return folder


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """fedfundus-site, called in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["fedfundus-site", *map(str, arguments)])
        before = signal.getsignal(signal.SIGTERM)
        try:
            with pytest.raises(SystemExit) as ended:
                cli.main()
        finally:
            signal.signal(signal.SIGTERM, before)
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return Said(int(ended.value.code or 0), said.out, said.err)

    return run
