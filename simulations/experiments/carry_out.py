"""One experiment in one process: trained by the workers and the round loop of every run, then read on the test set.

A federated model goes through the same ServerApp and ClientApp as `run`; pooled and local ones are its baselines.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from client.data.dataset import SiteDataset
from client.data.images import ImageStore
from client.inference.predict import predict
from client.worker import Worker
from client.worker.resident import resident_model
from client.worker.simulated import IMAGES, ROOT_VARIABLE, SITES, TABLE
from server.federation import run_federation
from server.store import RunFolder
from shared_model.artefact import count_parameters
from shared_model.config import Config, to_toml
from shared_model.exchange import write_tensors
from shared_model.files import write_text
from shared_model.memory import peak_bytes
from shared_model.metrics.document import majority_predictions, model_figures
from shared_model.metrics.predictions import Predictions
from shared_model.statistics import Standardisation
from simulations.baselines import DirectSites, baselines
from simulations.engines import run_engine
from simulations.experiments.experiment import Experiment
from simulations.experiments.graded import write_graded
from simulations.experiments.layout import DEALT, WORKSPACE
from simulations.experiments.results import reading_of, write_result
from simulations.judgement import Judged
from simulations.run import class_counts
from simulations.training import FEDERATED

TRAINED = "trained.json"  # says that the weights beside it are the last round's


def carry_out(experiment: Experiment, folder: Path) -> None:
    """Train the experiment laid out in `folder`/workspace unless its weights are there, and write its result.

    Raises FedFundusError where it cannot be trained.
    """
    workspace = folder / WORKSPACE
    if not (folder / TRAINED).exists():
        started = time.perf_counter()
        _train(experiment, folder, workspace)
        taken = {"seconds": round(time.perf_counter() - started, 1), "peak_bytes": peak_bytes()}
        write_text(folder / TRAINED, json.dumps(taken))
        (folder / "best.safetensors").unlink(missing_ok=True)
    write_result(folder, _read(experiment, folder, workspace))
    shutil.rmtree(workspace)


def _train(experiment: Experiment, folder: Path, workspace: Path) -> None:
    sites = json.loads((workspace / SITES).read_text(encoding="utf-8"))
    if experiment.mode == FEDERATED:
        write_text(folder / "config.toml", to_toml(experiment.config))
        os.environ[ROOT_VARIABLE] = str(workspace.resolve())
        try:
            run_engine(experiment.config, folder, len(sites), lambda record: None)
        finally:
            os.environ.pop(ROOT_VARIABLE, None)
        return
    (baseline,) = [b for b in baselines(experiment.config, sites) if b.label == experiment.mode]
    table = pd.read_parquet(workspace / TABLE)
    own = table[table["patient_id"].isin(set(baseline.patients))].reset_index(drop=True)
    images = ImageStore.open(workspace / IMAGES)
    worker = Worker(baseline.label, own, images, baseline.config, workspace / "sites")
    run_federation(DirectSites(worker), baseline.config, RunFolder(folder), baseline.label)


def _read(experiment: Experiment, folder: Path, workspace: Path) -> dict[str, Any]:
    """Read the test records with the trained model: keeps its grades and gives its document."""
    config = experiment.config
    table = pd.read_parquet(workspace / TABLE)
    sites: dict[str, list[str]] = json.loads((workspace / DEALT).read_text(encoding="utf-8"))
    site_of = {patient: site for site, patients in sites.items() for patient in patients}
    tested = table[table["split"] == "test"]
    images = ImageStore.open(workspace / IMAGES)
    judged = judged_with(config, folder, images)
    predictions = predict_with(judged, tested, site_of)
    write_graded(folder, predictions)
    trained = {p for site, own in sites.items() if site != experiment.left_out for p in own}
    counts = class_counts(table[table["patient_id"].isin(trained)])
    resampling = config.evaluation.resamples, config.evaluation.bootstrap_seed
    return {
        "name": experiment.name,
        "mode": experiment.mode,
        "left_out": experiment.left_out,
        "seed": experiment.seed,
        "reading": reading_of(config),
        "origin": resident_model(config).objective.model.origin,
        "parameters": count_parameters(resident_model(config).objective),
        **json.loads((folder / TRAINED).read_text(encoding="utf-8")),
        "rounds": _rounds(folder),
        "guard": judged.guard(tested),
        "figures": model_figures(predictions, list(sites), *resampling),
        "majority": model_figures(majority_predictions(predictions, counts), list(sites), *resampling),
    }


def judged_with(config: Config, folder: Path, images: ImageStore) -> Judged:
    """The experiment kept in `folder`, with all it takes to read records of these photographs."""
    resident, kept = resident_model(config), RunFolder(folder)
    write_tensors(resident.objective, kept.load_weights("last"))
    standardisation = Standardisation.from_dict(kept.load_json("standardisation.json"))
    return Judged(resident.objective.model, resident.tokenizer, standardisation, config, images)


def predict_with(judged: Judged, tested: pd.DataFrame, site_of: Mapping[str, str]) -> Predictions:
    """Predictions for these records."""
    dataset = SiteDataset(tested, judged.images, judged.tokenizer, judged.standardisation)
    return predict(
        judged.model,
        dataset,
        np.arange(len(dataset)),
        site_of,
        mask_notes=judged.config.losses.mask_notes,
        batch_size=judged.config.evaluation.batch_size,
    )


def _rounds(folder: Path) -> list[dict[str, Any]]:
    """Losses, their weights and the bytes each way by round, means over the sites."""
    return [
        {
            "round": row["round"],
            "validation": row["validation"],
            **{
                name: _mean([site[name] for site in row["sites"].values()])
                for name in ("losses", "loss_weights")
            },
            **{
                name: float(np.mean([site[name] for site in row["sites"].values()]))
                for name in ("bytes_up", "bytes_down")
            },
        }
        for row in RunFolder(folder).history()
    ]


def _mean(sites: list[dict[str, float]]) -> dict[str, float]:
    names = sorted({name for site in sites for name in site})
    return {name: float(np.mean([site[name] for site in sites if name in site])) for name in names}
