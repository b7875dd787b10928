"""`fedfundus-simulate run`: one folder with every result, which is whole or not there.

Everything is written to a sibling folder and renamed at the end, so that an interrupted run leaves no half of one.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from client.data.images import PIPELINE_VERSION
from client.training.machine import on_this_machine
from client.worker.resident import resident_model, training_machine
from server.store import RunFolder
from server.store.run_folder import REFUSED
from shared_model.artefact import count_parameters, save_artefact, write_json
from shared_model.calibration import Calibration
from shared_model.config import Config, to_toml
from shared_model.exchange import write_tensors
from shared_model.files import write_text
from shared_model.held_out import HeldOut
from shared_model.metrics.document import SCHEMA, comparisons, majority_predictions, model_figures
from shared_model.metrics.modalities import modality_worth
from shared_model.privacy_statement import secure_statement, site_labels
from shared_model.private_training import require_private_run
from shared_model.progress import RunProgress
from shared_model.records import GRADES, TASKS
from shared_model.report import render
from shared_model.statistics import Standardisation
from shared_model.version import PACKAGE_VERSION
from simulations.baselines import baseline_folder
from simulations.engines import require_engine
from simulations.judgement import Judged, judgement
from simulations.output import output_folder
from simulations.prepare import Prepared, prepare
from simulations.processes import processes_asked
from simulations.samples import sample_photographs
from simulations.training import FEDERATED, Trained, Training

MAJORITY = "majority"
QUARANTINE = "quarantine.csv"


@dataclass
class Run:
    """A simulated federation over `data`, with its comparison and report, into `out`."""

    config: Config
    data: Path
    out: Path
    progress: RunProgress

    def execute(self) -> dict[str, Any]:
        """Run it; the document of metrics.json. Raises FedFundusError, leaving nothing behind."""
        require_private_run(self.config)
        require_engine(self.config)
        with output_folder(self.out) as folder:
            return self._into(folder)

    def _into(self, folder: Path) -> dict[str, Any]:
        started = time.perf_counter()
        config, workspace = self._settled(), folder / "work"
        write_text(folder / "config.toml", to_toml(config))
        origin = _model_notices(config)  # a model that cannot be built is told before photographs are read
        prepared = prepare(self.data, config, workspace, self._reading)
        say_notices(self.progress, prepared)
        write_text(folder / QUARANTINE, prepared.quarantine.to_csv(index=False))
        write_json(folder / "partition.json", prepared.partition)
        for notice in origin:
            self.progress.say(f"notice: {notice}")
        trained = Training(config, prepared, folder, workspace, self.progress).run()
        notices = prepared.notices + origin + _refusals(folder)
        document = assemble(config, prepared, trained, self._history(folder, workspace, trained), notices)
        judged, table = judged_of(config, RunFolder(folder), prepared, workspace), prepared.table
        calibration = judged.fit(table[table["split"] == "validation"], prepared.sites)
        guard = judged.guard(table[table["split"] == "test"])
        federated = trained[FEDERATED]["last"]
        document |= judgement(
            federated,
            list(prepared.sites),
            calibration.temperature,
            guard,
            config,
            image_temperatures=calibration.image_temperature,
            calibrations=[calibration],
        )
        document["run"]["seconds"] = round(time.perf_counter() - started, 1)
        self._write_results(folder, config, prepared, document, workspace, trained, calibration)
        return document

    def _settled(self) -> Config:
        """On this machine; early stopping would break the equal budgets of the comparison, so it is off there."""
        asked = processes_asked(self.config)
        processes = asked if self.config.evaluation.comparison or self.config.runtime.jobs else 1
        config = on_this_machine(self.config, processes)
        if config.evaluation.comparison and config.training.early_stopping:
            training = config.training.model_copy(update={"early_stopping": 0})
            return config.model_copy(update={"training": training})
        return config

    def _reading(self, done: int, total: int) -> None:
        self.progress.update("reading photographs", done, total, unit="files")

    def _history(self, folder: Path, workspace: Path, trained: Trained) -> list[dict[str, Any]]:
        rows = RunFolder(folder).history()
        for label in trained:
            if label != FEDERATED:
                rows += RunFolder(baseline_folder(workspace, label)).history()
        return rows

    def _write_results(
        self,
        folder: Path,
        config: Config,
        prepared: Prepared,
        document: dict[str, Any],
        workspace: Path,
        trained: Trained,
        calibration: Calibration,
    ) -> None:
        store = RunFolder(folder)
        resident = resident_model(config)
        write_tensors(resident.objective, store.load_weights("last"))
        standardisation = store.load_json("standardisation.json")
        save_artefact(
            folder / "model",
            resident.objective,
            resident.tokenizer,
            config,
            standardisation,
            PIPELINE_VERSION,
            calibration,
            HeldOut.of(document["models"][FEDERATED]["all"]),
            list(prepared.sites),
        )
        history = self._history(folder, workspace, trained)
        for row in history[len(store.history()) :]:
            store.append_history(row)
        write_json(folder / "metrics.json", document)
        samples = sample_photographs(prepared, config.seed)
        page = render(document, history, to_toml(config), prepared.partition, samples)
        write_text(folder / "report.html", page)
        shutil.rmtree(workspace)
        for name in ("last.safetensors", "best.safetensors", "standardisation.json"):
            (folder / name).unlink()


def judged_of(config: Config, store: RunFolder, prepared: Prepared, workspace: Path) -> Judged:
    """The federated model with the weights of its last round, fitted through the features that `workspace` keeps."""
    resident = resident_model(config)
    write_tensors(resident.objective, store.load_weights("last"))
    standardisation = Standardisation.from_dict(store.load_json("standardisation.json"))
    model, tokenizer = resident.objective.model, resident.tokenizer
    return Judged(model, tokenizer, standardisation, config, prepared.images, workspace)


def say_notices(progress: RunProgress, prepared: Prepared) -> None:
    """What a person must know before hours are spent."""
    for notice in prepared.notices:
        progress.say(f"notice: {notice}")
    for site, held in prepared.partition["sites"].items():
        patients, grades = held["patients"], held["icdr"]
        progress.say(
            f"site {site}: {patients['train']} / {patients['validation']} / {patients['test']} patients to train, "
            f"validate and test on; ICDR 0-4 {' / '.join(map(str, grades))}"
        )
    if len(prepared.quarantine):
        count = len(prepared.quarantine)
        progress.say(f"notice: {count} rows are left out, each with its reason in {QUARANTINE}")


def _model_notices(config: Config) -> list[str]:
    origin = resident_model(config).objective.model.origin
    random = [name for name, source in origin.items() if source == "random weights"]
    if not random:
        return []
    verb = "encoders start" if len(random) > 1 else "encoder starts"
    return [f"The {' and '.join(random)} {verb} from random weights, not from pretrained ones."]


def _refusals(folder: Path) -> list[str]:
    path = folder / REFUSED
    if not path.exists():
        return []
    count = len(path.read_text(encoding="utf-8").splitlines())
    return [f"{count} updates were refused and are not in the model; {REFUSED} has the reasons."]


def assemble(
    config: Config, prepared: Prepared, trained: Trained, history: list[dict[str, Any]], notices: list[str]
) -> dict[str, Any]:
    """The document of metrics.json, without its duration."""
    evaluation, sites = config.evaluation, list(prepared.sites)
    counts = class_counts(prepared.table)
    resampling = evaluation.resamples, evaluation.bootstrap_seed
    last, best = ({label: found[weights] for label, found in trained.items()} for weights in ("last", "best"))
    # Of the same records whichever the weights; and a model whose last round was its best has one set of predictions.
    last[MAJORITY] = best[MAJORITY] = majority_predictions(last[FEDERATED], counts)
    figures = {label: model_figures(found, sites, *resampling) for label, found in last.items()}
    best_figures = {
        label: figures[label] if found is last[label] else model_figures(found, sites, *resampling)
        for label, found in best.items()
    }
    return {
        "schema": SCHEMA,
        "models": figures,
        "best_validation": {"models": best_figures},
        "comparisons": comparisons(last, sites, *resampling),
        "modalities": modality_worth(last[FEDERATED], sites, *resampling),
        "run": _facts(config, prepared, history, notices),
    }


def _facts(
    config: Config, prepared: Prepared, history: list[dict[str, Any]], notices: list[str]
) -> dict[str, Any]:
    """`run` of the document: what was run, on what, at what cost."""
    federated = [row for row in history if row["model"] == FEDERATED and row["round"] > 0]
    count = max(1, len(federated))
    return {
        "preset": config.preset,
        "partition": config.federation.partition,
        "sites": list(prepared.sites),
        "rounds": len(federated),
        "local_steps": config.training.local_steps,
        "strategy": config.federation.strategy,
        "engine": config.runtime.engine,
        "machine": training_machine(config).describe(),
        "seed": config.seed,
        "parameters": count_parameters(resident_model(config).objective),
        "bytes_per_round": {
            "up": sum(row["bytes_up"] for row in federated) // count,
            "down": sum(row["bytes_down"] for row in federated) // count,
        },
        "resamples": config.evaluation.resamples,
        "quarantined": len(prepared.quarantine),
        "notices": notices,
        "package_version": PACKAGE_VERSION,
        **({"privacy": site_labels(config, prepared.sites)} if config.privacy.enabled else {}),
        **_secure(config, len(prepared.sites)),
    }


def _secure(config: Config, sites: int) -> dict[str, Any]:
    """`run.secure_aggregation`, where there was any."""
    if (statement := secure_statement(config)) is None:
        return {}
    threshold = config.secure_aggregation.left(sites)
    authority = "made by the simulation itself, which proves nothing of who takes part"
    return {"secure_aggregation": statement | {"threshold": threshold, "authority": authority}}


def class_counts(table: pd.DataFrame) -> dict[str, list[int]]:
    """Training photographs of each grade, by task."""
    train = table[table["split"] == "train"]
    return {task: [int((train[task] == grade).sum()) for grade in range(GRADES)] for task in TASKS}
