"""A federation whose sites keep features of frozen blocks ends in the very figures of its simulation."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from safetensors.numpy import load_file

from client.cache.feature_file import names_in
from client.cache.trunk_cache import FOLDER
from client.worker.simulated import forget_workers
from server.evaluation.asking import judge
from server.handshake import Roster
from server.store import RunFolder
from shared_model.artefact import load_artefact
from shared_model.config import Config
from shared_model.exchange import shared_tensors
from shared_model.losses import Objective
from shared_model.model import build_model
from shared_model.progress import RunProgress
from shared_model.version import PIPELINE_VERSION
from simulations.run import Run
from tests.client.cache.conftest import DRAWS, FROZEN
from tests.server.evaluation.test_asking import Finished


def test_sites_that_keep_features_tell_what_the_simulation_tells_to_the_last_digit(
    data_folder: Path, small_config: Callable[..., Config], workspace: Any, tmp_path: Path
) -> None:
    config = small_config(*FROZEN, DRAWS, "data.minimum_cell=2", "data.split=[0.4, 0.4]")
    out = tmp_path / "simulated"
    with RunProgress(Console(quiet=True)) as progress:
        Run(config, data_folder, out, progress).execute()
    forget_workers()
    root, prepared = workspace(config)
    folder = RunFolder(tmp_path / "run")
    kept = load_file(out / "model" / "model.safetensors")
    travel = shared_tensors(Objective(build_model(config.model, seed=config.seed), config.losses))
    folder.save_weights("last", {name: kept[name] for name in travel})
    model = load_artefact(out / "model", PIPELINE_VERSION)
    folder.save_json("standardisation.json", model.standardisation.to_dict())
    sites = Finished(root, sorted(prepared.sites))
    roster = Roster(
        dict(zip(sites.addresses(), sites.sites, strict=True)), dict.fromkeys(sites.addresses(), 9)
    )
    found = judge(sites, roster, config, folder)
    assert {name.split("-")[0] for name in names_in(root / FOLDER)} == {"image", "text"}
    forget_workers()
    calibration = json.loads((out / "model" / "calibration.json").read_text())
    calibration.pop("weights_sha256")
    assert calibration["temperature"]["icdr"] != 1.0
    assert found["calibration"] == calibration
    assert found["pooled"] == json.loads((out / "metrics.json").read_text())["pooled"]
