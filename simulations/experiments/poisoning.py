"""One malicious site of several: what a strategy keeps of the grading that clean sites reach together.

Every case is a federation of its own over the same patients, carried out by the same ServerApp and ClientApp as any
run; the malicious site's update is changed on its way, or its training labels are before it begins. Beside the robust
strategies stands the mean with nothing in front of it, as stock FedAvg is.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
from flwr.app import Context, Message
from flwr.clientapp import ClientApp
from numpy.typing import NDArray

from client.app import app as client_app
from client.training.machine import on_this_machine
from client.worker.simulated import ROOT_VARIABLE, TABLE, forget_workers
from server import collecting
from server.app import make_app
from server.errors import CoordinatorError
from server.guard import UpdateGuard
from server.store import RunFolder
from shared_model.artefact import write_json
from shared_model.config import Config, load_config, to_toml
from shared_model.exchange import Payload
from shared_model.exchange.flower_records import from_records, to_records
from shared_model.exchange.parameters import Arrays
from shared_model.files import write_text
from shared_model.metrics.grading import confusion_matrix, quadratic_weighted_kappa
from shared_model.progress import RunProgress
from shared_model.records import GRADES
from simulations.engines.grid import run_apps
from simulations.experiments.carry_out import judged_with, predict_with
from simulations.experiments.poisoning_page import as_markdown
from simulations.output import output_folder
from simulations.prepare import Prepared, read_records, write_workspace

MALICIOUS = 2  # the site's place among the others
NONE, LABEL_FLIP = "none", "label flip"
UNGUARDED = "fedavg, unguarded"
ROBUST = ("trimmed_mean", "median", "krum", "multi_krum")
KEPT = 0.9  # share of the clean kappa that a robust strategy is to keep
TASK = "icdr"
Attack = Callable[[Any, Any], Any]  # base, trained -> what is sent, one tensor at a time


def _scaled(factor: float) -> Attack:
    return lambda base, trained: base + factor * (trained - base)


ATTACKS: dict[str, Attack] = {
    "sign flip": _scaled(-4.0),  # of five equal sites it stands the mean still
    "scaling": _scaled(60.0),
    "NaN": lambda base, trained: np.full_like(trained, np.nan),
}


def cases(robust: Sequence[str]) -> list[tuple[str, str]]:
    """(attack, strategy): clean sites, then every attack against the plain mean and these strategies."""
    poisoned = [(attack, strategy) for attack in (*ATTACKS, LABEL_FLIP) for strategy in (UNGUARDED, *robust)]
    return [(NONE, UNGUARDED), *poisoned]


def poisoning(
    data: Path,
    out: Path,
    preset: str,
    config_file: Path | None,
    overrides: Sequence[str],
    settings: Mapping[str, Any],
    robust: Sequence[str],
    progress: RunProgress,
) -> dict[str, Any]:
    """Every case on the data in `data`; poisoning.json and poisoning.md in `out`, and the former's document.

    Patients are dealt alike (iid), and updates travel as they are, so that what is seen is the strategies' doing.
    """
    fixed = (
        "federation.partition=iid",
        "training.early_stopping=0",
        "exchange={uplink='fp32', downlink='fp32'}",
    )
    config = on_this_machine(
        load_config(preset, file=config_file, overrides=(*fixed, *overrides), **settings), 1
    )
    with output_folder(out) as folder:
        work = folder / "work"
        store = work / "photographs"
        store.mkdir(mode=0o700, parents=True)
        table, images, quarantine, notices = read_records(
            data,
            config,
            store,
            lambda done, total: progress.update("reading photographs", done, total, unit="files"),
        )
        laid_out = work / "sites"
        laid_out.mkdir(mode=0o700)
        prepared = write_workspace(table, images, config, laid_out, quarantine, notices)
        document = Poisoning(config, prepared, work, robust, progress).run()
        shutil.rmtree(work)
        write_json(folder / "poisoning.json", document)
        write_text(folder / "poisoning.md", as_markdown(document))
    return document


@dataclass
class Poisoning:
    """All cases over one prepared data set. folder: for workspaces, emptied case by case."""

    config: Config
    prepared: Prepared
    folder: Path
    robust: Sequence[str]
    progress: RunProgress

    def run(self) -> dict[str, Any]:
        """The document: kappa of each case on the test patients, and its share of the clean one."""
        rows: list[dict[str, Any]] = []
        wanted = cases(self.robust)
        for number, (attack, strategy) in enumerate(wanted, 1):
            self.progress.say(f"{number} of {len(wanted)}: {attack} against {strategy}")
            rows.append({"attack": attack, "strategy": strategy, **self._case(attack, strategy)})
            self.progress.say(f"  kappa {rows[-1]['kappa']:.3f}")
        clean = rows[0]["kappa"]
        for row in rows:
            row["share"] = row["kappa"] / clean if clean > 0 else None
        robust = [row["share"] for row in rows if row["strategy"] != UNGUARDED]
        return {
            "schema": "fedfundus.poisoning/1",
            "preset": self.config.preset,
            "seed": self.config.seed,
            "sites": len(self.prepared.sites),
            "rounds": self.config.federation.rounds,
            "local_steps": self.config.training.local_steps,
            "test_photographs": int((self.prepared.table["split"] == "test").sum()),
            "clean_kappa": clean,
            "goal": KEPT,
            "holds": all(share is not None and share >= KEPT for share in robust),
            "rows": rows,
        }

    def _case(self, attack: str, strategy: str) -> dict[str, Any]:
        config, workspace, folder = self._config(strategy), self.folder / "workspace", self.folder / "run"
        for place in (workspace, folder):
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(mode=0o700, parents=True)
        self._lay_out(config, workspace, flipped=attack == LABEL_FLIP)
        write_text(folder / "config.toml", to_toml(config))
        forget_workers()
        os.environ[ROOT_VARIABLE] = str(workspace)
        try:
            with _unguarded() if strategy == UNGUARDED else nullcontext():
                run_apps(make_app(), _lying(attack), len(self.prepared.sites), {"run-folder": str(folder)})
        except CoordinatorError as error:
            return {"kappa": 0.0, "ended": error.what, "refused": _refused(folder)}
        finally:
            os.environ.pop(ROOT_VARIABLE, None)
        return {"kappa": self._kappa(config, folder), "ended": "", "refused": _refused(folder)}

    def _config(self, strategy: str) -> Config:
        federation = {"strategy": "fedavg" if strategy == UNGUARDED else strategy, "malicious": 1}
        changed = self.config.federation.model_copy(update=federation)
        return self.config.model_copy(update={"federation": changed})

    def _lay_out(self, config: Config, workspace: Path, *, flipped: bool) -> None:
        own = self.prepared
        for name in os.listdir(self.folder / "photographs"):
            (workspace / name).symlink_to(self.folder / "photographs" / name)
        write_workspace(own.table, own.images, config, workspace, own.quarantine, [])
        if flipped:
            flipped_labels(own.table, list(own.sites.values())[MALICIOUS]).to_parquet(workspace / TABLE)

    def _kappa(self, config: Config, folder: Path) -> float:
        """Quadratic weighted kappa of ICDR on the test patients; 0 for a model that is no longer one."""
        if not all(np.isfinite(array).all() for array in RunFolder(folder).load_weights("last").values()):
            return 0.0
        own = self.prepared
        site_of = {patient: site for site, patients in own.sites.items() for patient in patients}
        judged = judged_with(config, folder, own.images)
        found = predict_with(judged, own.table[own.table["split"] == "test"], site_of)
        given, truth = found.predicted(TASK, "all"), found.labels(TASK)
        graded = (given >= 0) & (truth >= 0)
        kappa = float(quadratic_weighted_kappa(confusion_matrix(truth[graded], given[graded])))
        return kappa if np.isfinite(kappa) else 0.0


def flipped_labels(table: pd.DataFrame, patients: list[str]) -> pd.DataFrame:
    """The table with the training grades of these patients turned round: 0 for 4, 1 for 3."""
    found = table.copy()
    rows = found["patient_id"].isin(set(patients)) & (found["split"] == "train")
    for task in ("icdr", "sdrg"):
        found.loc[rows, task] = (GRADES - 1) - found.loc[rows, task]
    return found


def _lying(attack: str) -> ClientApp:
    """The ClientApp of every site, the malicious one's updates changed on the way."""
    if attack not in ATTACKS:
        return client_app

    def answer(message: Message, context: Context) -> Message:
        request = from_records(message.content)
        reply = client_app(message, context)
        if (
            message.metadata.message_type != "train"
            or int(context.node_config["partition-id"]) != MALICIOUS
            or not reply.has_content()
        ):
            return reply
        sent = from_records(reply.content)
        reply.content = to_records(Payload(_spoilt(attack, request.arrays, sent.arrays), sent.fields))
        return reply

    return answer  # type: ignore[return-value]  # the grid of one process only calls it


def _spoilt(attack: str, base: Arrays, trained: Arrays) -> Arrays:
    change = ATTACKS[attack]
    return {n: np.asarray(change(base[n], array), array.dtype) for n, array in trained.items()}


def _refused(folder: Path) -> int:
    file = folder / "refused-updates.jsonl"
    return len(file.read_text(encoding="utf-8").splitlines()) if file.exists() else 0


@contextmanager
def _unguarded() -> Iterator[None]:
    """Stock FedAvg: no configuration switches our guard off, so it is taken out by hand."""
    with (
        patch.object(collecting, "UpdateGuard", _Believing),
        patch.object(collecting, "aggregate_of", lambda federation, base, folder: _PlainMean()),
    ):
        yield


class _Believing(UpdateGuard):
    """Refuses nothing."""

    def problem(self, address: str, update: Payload, base: Any, number: int) -> str | None:
        """None, whatever was sent."""
        self.norms[address] = 0.0
        return None


class _PlainMean:
    """server.aggregation.Aggregate: the weighted mean in floating point, of whatever numbers there are."""

    def __init__(self) -> None:
        self._sum: dict[str, NDArray[np.float64]] = {}
        self._weight = 0

    def add(self, site: str, update: Arrays, weight: int, without: Collection[str] = ()) -> None:
        """Add it, finite or not."""
        for name, array in update.items():
            self._sum[name] = self._sum.get(name, 0.0) + weight * array.astype(np.float64)
        self._weight += weight

    def onto(self, model: Arrays, caught: int = 0) -> Arrays:
        """The mean in the model's place, as stock FedAvg puts it there."""
        return {name: np.asarray(self._sum[name] / self._weight, np.float32) for name in model}

    def close(self) -> None:
        """Nothing waits."""
