"""Thresholds and figures belong to the weights they were fixed on: beside others they are refused, or not used."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from client.data.images import PIPELINE_VERSION
from shared_model.artefact import load_artefact, save_artefact
from shared_model.calibration import Calibration
from shared_model.config import Config
from shared_model.errors import DataError
from shared_model.held_out import HeldOut
from shared_model.losses import Objective
from shared_model.model import Tokenizer
from shared_model.operating_points import OperatingPoints, Threshold
from shared_model.records import TASKS
from shared_model.statistics import Standardisation

POINTS = OperatingPoints(
    Threshold(0.5, 0.9, 0.95, 40), Threshold(0.2, 0.95, 0.96, 50), Threshold(0.6, 0.9, 0.9, 70)
)
FITTED = Calibration({"icdr": 1.5}, {"icdr": 80}, {"icdr": 0.7}, {"icdr": {"image": POINTS}})
NOTHING = dict.fromkeys(("n", "accuracy", "quadratic_weighted_kappa"))
FIGURES = HeldOut(None, {task: {"all": NOTHING, "image": NOTHING | {"n": 9}} for task in TASKS})
FILES = ("calibration.json", "held_out.json")

Save = Callable[[str, int], Path]


@pytest.fixture
def save(
    tmp_path: Path,
    small_config: Callable[..., Config],
    small_objective: Callable[..., Objective],
    tokenizer: Tokenizer,
    standardisation: Standardisation,
) -> Save:
    def saved(name: str, seed: int) -> Path:
        folder, told = tmp_path / name, standardisation.to_dict()
        objective = small_objective(seed=seed)
        save_artefact(folder, objective, tokenizer, small_config(), told, PIPELINE_VERSION, FITTED, FIGURES)
        return folder

    return saved


def test_both_files_name_the_weights_and_come_back_beside_them(save: Save) -> None:
    folder = save("model", 1)
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert {json.loads((folder / name).read_text())["weights_sha256"] for name in FILES} == {digest}
    found = load_artefact(folder, PIPELINE_VERSION)
    assert (found.calibration, found.held_out, found.sha256) == (FITTED, FIGURES, digest)


@pytest.mark.parametrize("name", FILES)
def test_the_file_of_another_model_is_refused_by_name(name: str, save: Save) -> None:
    folder, other = save("model", 1), save("other", 2)
    shutil.copy(other / name, folder / name)
    with pytest.raises(DataError, match=rf"{name} is not of these weights[\s\S]*model\.safetensors"):
        load_artefact(folder, PIPELINE_VERSION)


@pytest.mark.parametrize("told", [5, "", [], {"a": 1}])
def test_what_is_no_digest_is_refused(told: object, save: Save) -> None:
    path = save("model", 1) / "calibration.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"weights_sha256": told}))
    with pytest.raises(DataError, match="is not of these weights"):
        load_artefact(path.parent, PIPELINE_VERSION)


def test_files_of_an_earlier_version_are_read_but_their_points_are_not_used(save: Save) -> None:
    folder = save("model", 1)
    for name in FILES:
        message = json.loads((folder / name).read_text())
        del message["weights_sha256"]
        (folder / name).write_text(json.dumps(message))
    found = load_artefact(folder, PIPELINE_VERSION)
    assert (found.calibration.of("icdr"), found.calibration.of("icdr", "image")) == (1.5, 0.7)
    assert found.calibration.points_of("icdr", "image") is None
    assert "does not say of which weights" in found.calibration.withheld
    assert found.held_out is None
