from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import load_file

from client.data.images import ImageStore
from client.statistics.answers import Answers
from client.statistics.policy import Policy
from client.statistics.site_answer import site_answer
from client.worker import Worker
from client.worker.resident import resident_model
from client.worker.simulated import ROOT_VARIABLE, open_worker, simulated_worker
from server.guard import UpdateGuard
from server.guard.report import validation_problem
from shared_model.config import Config
from shared_model.errors import ConfigError, DataError, RunError
from shared_model.exchange import Payload, shared_tensors, trunk_fingerprint
from shared_model.exchange.parameters import Arrays
from shared_model.losses import Objective
from shared_model.model import build_model
from shared_model.statistics import Standardisation
from shared_model.version import PACKAGE_VERSION

MakeWorker = Callable[..., Worker]


@pytest.fixture
def worker(
    tmp_path: Path, records: pd.DataFrame, images: ImageStore, small_config: Callable[..., Config]
) -> MakeWorker:
    def make(site: str = "a", *overrides: str, part: int | None = None, folder: str = "") -> Worker:
        own = records if part is None else records[records["patient_id"].astype(int) % 2 == part]
        return Worker(
            site, own.reset_index(drop=True), images, small_config(*overrides), tmp_path / (folder or site)
        )

    return make


@pytest.fixture
def request_of(standardisation: Standardisation) -> Callable[..., Payload]:
    def make(worker: Worker, number: int = 1, arrays: Arrays | None = None) -> Payload:
        config = worker.config
        fresh = Objective(build_model(config.model, seed=config.seed), config.losses)
        fields = {"round": number, "learning_rate": 1e-3, "standardisation": standardisation.to_dict()}
        return Payload(arrays or shared_tensors(fresh), fields)

    return make


def same(a: Arrays, b: Arrays) -> bool:
    return set(a) == set(b) and all(a[name].tobytes() == b[name].tobytes() for name in a)


def local_of(folder: Path, number: int) -> dict[str, bytes]:
    """The local tensors that a site kept of a round."""
    kept = load_file(folder / f"round-{number}.safetensors")
    return {name: array.tobytes() for name, array in kept.items() if name.startswith("local/")}


def test_a_site_joins_with_what_the_coordinator_compares(worker: MakeWorker, records: pd.DataFrame) -> None:
    site = worker("north")
    fresh = Objective(build_model(site.config.model, seed=0), site.config.losses)
    assert site.join().fields == {
        "site": "north",
        "version": PACKAGE_VERSION,
        "trunk": trunk_fingerprint(fresh),
        "tensors": {name: list(array.shape) for name, array in shared_tensors(fresh).items()},
        "examples": int((records["split"] == "train").sum()),
    }


def test_an_honest_answer_passes_the_guard(worker: MakeWorker, request_of: Callable[..., Payload]) -> None:
    site = worker()
    request = request_of(site)
    answer = site.train(request)
    examples = site.join().fields["examples"]
    assert UpdateGuard(1e3, {"x": examples}).problem("x", answer, request.arrays, 1) is None
    assert not same(answer.arrays, request.arrays)


def test_no_answer_holds_a_local_tensor_or_a_patient(
    worker: MakeWorker, request_of: Callable[..., Payload], records: pd.DataFrame
) -> None:
    site = worker()
    request = request_of(site)
    answers = [site.join(), site.statistics(), site.train(request), site.evaluate(request)]
    words = set(records["record_id"]) | set(records["image_path"]) | set(records["note"].dropna())
    for answer in answers:
        assert not any("decoder" in name for name in answer.arrays)
        assert not any(word in answer.fields_json() for word in words)
    assert [bool(answer.arrays) for answer in answers] == [False, False, True, False]


def test_a_round_asked_again_gives_the_same_bytes(
    worker: MakeWorker, request_of: Callable[..., Payload]
) -> None:
    first, second = worker("a", folder="one"), worker("a", folder="two")
    request = request_of(first)
    a, b = first.train(request), second.train(request)
    assert same(a.arrays, b.arrays)
    timeless = [{k: v for k, v in x.fields.items() if k != "seconds"} for x in (a, b)]
    assert timeless[0] == timeless[1]


def test_the_incoming_model_is_evaluated_before_it_is_trained(
    worker: MakeWorker, request_of: Callable[..., Payload]
) -> None:
    site = worker()
    request = request_of(site)
    before = site.evaluate(request).fields["validation"]
    assert site.train(request).fields["validation"] == before
    assert site.evaluate(request).fields["validation"] == before  # training left no trace in it


def test_local_decoders_stay_and_go_on_at_each_site(
    worker: MakeWorker, request_of: Callable[..., Payload], tmp_path: Path
) -> None:
    """Two sites share one resident model; each finds its own decoders again, and starts from the same ones."""
    a, b = worker("a", part=0), worker("b", part=1)
    request = request_of(a)
    a.train(request)
    b.train(request)
    kept = {site: local_of(tmp_path / site, 1) for site in "ab"}
    assert kept["a"] != kept["b"]
    second = request_of(a, 2)
    a_second = a.train(second)
    assert local_of(tmp_path / "a", 2) != kept["a"]
    assert local_of(tmp_path / "b", 1) == kept["b"]
    alone = worker("a", part=0, folder="alone")
    alone.train(request)
    assert same(alone.train(second).arrays, a_second.arrays)  # as though b had never been there


def test_another_standardisation_is_taken_up(worker: MakeWorker, request_of: Callable[..., Payload]) -> None:
    site = worker()
    request = request_of(site)
    before = site.evaluate(request).fields["validation"]["loss_sum"]
    other = {**request.fields["standardisation"], "image_mean": [0.0, 0.0, 0.0], "image_std": [0.1, 0.1, 0.1]}
    changed = site.evaluate(Payload(request.arrays, {**request.fields, "standardisation": other}))
    assert changed.fields["validation"]["loss_sum"] != before
    assert site.evaluate(request).fields["validation"]["loss_sum"] == before


def test_only_fedprox_reads_the_proximal_term(worker: MakeWorker, request_of: Callable[..., Payload]) -> None:
    answers = {}
    for name, overrides in {
        "fedavg": ("federation.strategy=fedavg", "training.proximal=5.0"),
        "fedavg 0": ("federation.strategy=fedavg", "training.proximal=0.0"),
        "fedprox": ("federation.strategy=fedprox", "training.proximal=5.0"),
    }.items():
        site = worker("a", *overrides, "training.local_steps=3", folder=name)
        answers[name] = site.train(request_of(site)).arrays
    assert same(answers["fedavg"], answers["fedavg 0"])
    assert not same(answers["fedavg"], answers["fedprox"])


def test_a_site_without_validation_patients_answers_zero(
    worker: MakeWorker, request_of: Callable[..., Payload], records: pd.DataFrame
) -> None:
    site = worker()
    site._table = records[records["split"] == "train"].reset_index(drop=True)
    assert site.train(request_of(site)).fields["validation"]["examples"] == 0


@pytest.mark.parametrize(("patients", "told"), [(1, False), (4, False), (5, True)])
def test_no_round_tells_the_loss_or_grade_of_fewer_validation_patients_than_the_policy_allows(
    tmp_path: Path,
    records: pd.DataFrame,
    images: ImageStore,
    small_config: Callable[..., Config],
    request_of: Callable[..., Payload],
    patients: int,
    told: bool,
) -> None:
    graded = records.loc[records["icdr"].notna() & records["sdrg"].notna(), "patient_id"].unique()[:patients]
    held = records.assign(split=np.where(records["patient_id"].isin(graded), "validation", "train"))
    site = Worker("a", held, images, small_config(), tmp_path, policy=Policy(minimum_cell=5))
    request = request_of(site)
    for answer in (site.train(request), site.evaluate(request)):
        said = answer.fields["validation"]
        assert validation_problem(said) is None
        assert bool(said["examples"]) == bool(said["loss_sum"]) == told
        assert [bool(np.sum(matrix)) for matrix in said["confusion"].values()] == [told, told]


def test_the_resident_model_is_built_once_a_configuration(small_config: Callable[..., Config]) -> None:
    first = resident_model(small_config())
    assert resident_model(small_config("training.batch_size=3")) is first
    assert resident_model(small_config("seed=9")) is not first
    assert torch.get_num_threads() == 1


def test_any_process_opens_any_site_by_its_position(
    workspace: Callable[..., Any], small_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, prepared = workspace(small_config())
    monkeypatch.setenv(ROOT_VARIABLE, str(root))
    for index, (site, patients) in enumerate(prepared.sites.items()):
        found = simulated_worker(index)
        assert found is simulated_worker(index)  # its local state lives on
        assert found.site == site
        assert set(found._table["patient_id"]) == set(patients)
        assert found.join().fields == open_worker(root, site).join().fields
    monkeypatch.delenv(ROOT_VARIABLE)
    with pytest.raises(RunError, match="fedfundus-simulate"):
        simulated_worker(0)


def test_a_model_without_decoders_keeps_no_local_tensors(
    worker: MakeWorker, request_of: Callable[..., Payload], tmp_path: Path
) -> None:
    site = worker("bare", "model.decoders.enabled=false", "losses.weighting=softmax")
    answer = site.train(request_of(site))
    assert np.isfinite(answer.fields["loss"])
    assert local_of(tmp_path / "bare", 1) == {}


def test_a_site_with_too_few_training_patients_does_not_join(
    tmp_path: Path, records: pd.DataFrame, images: ImageStore, small_config: Callable[..., Config]
) -> None:
    few = records[records["split"] == "train"].head(4)
    site = Worker("a", few, images, small_config(), tmp_path, policy=Policy(minimum_cell=10))
    with pytest.raises(DataError, match=r"fewer training patients than its policy's minimum of 10") as caught:
        site.join()
    assert str(few["patient_id"].nunique()) not in caught.value.what.replace("10", "")
    under_a_run = Worker("a", few, images, small_config("data.minimum_cell=10"), tmp_path)
    with pytest.raises(DataError, match="minimum of 10"):
        under_a_run.join()
    assert Worker("a", few, images, small_config(), tmp_path).join().fields["examples"] == 4


def test_noise_is_never_drawn_where_nothing_is_charged(
    tmp_path: Path, records: pd.DataFrame, images: ImageStore, small_config: Callable[..., Config]
) -> None:
    with pytest.raises(ConfigError, match="ledger"):
        Worker("a", records, images, small_config(), tmp_path, policy=Policy(epsilon=1.0))


def test_the_policy_of_the_site_rules_over_the_runs_minimum_and_answers_are_kept(
    tmp_path: Path, records: pd.DataFrame, images: ImageStore, small_config: Callable[..., Config]
) -> None:
    policy = Policy(minimum_cell=6, answer=frozenset({"records", "grades"}))
    config = small_config("data.minimum_cell=0")

    class State(dict[str, bytes]):
        def read(self, name: str) -> bytes | None:
            return self.get(name)

        def write(self, name: str, content: bytes) -> None:
            self[name] = content

    answers = Answers(State(), "run", b"key")
    site = Worker("a", records, images, config, tmp_path, policy=policy, answers=answers)
    answer = site.statistics().fields["statistics"]
    assert answer == site_answer(records, images, policy, key=b"key")
    assert answer["minimum"] == 6
    assert answer["absent"]["age"] == "refused"
    fewer = records[records["patient_id"] != records["patient_id"].iloc[0]].reset_index(drop=True)
    again = Worker("a", fewer, images, config, tmp_path, policy=policy, answers=answers)
    assert again.statistics().fields_json() == site.statistics().fields_json()
