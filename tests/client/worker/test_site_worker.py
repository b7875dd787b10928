"""Two hospitals, each with a site.toml of its own, in one federation under the coordinator's real loop."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from client.rights.exclude import exclude, excluded
from client.rights.participation import runs_of
from client.site.config import load_site
from client.site.describe import describe_site
from client.site.state import SiteState
from client.statistics.answers import AnswerRefused
from client.worker.resident import resident_model
from client.worker.site_worker import SiteWorker
from server.evaluation import fit_points, fit_temperature, pool_figures
from server.federation import run_federation
from server.history import RoundRecord
from server.secure_aggregation.session import new_round
from server.sites import Question, SiteFailure
from server.store import RunFolder
from shared_model.config import Config
from shared_model.errors import DataError
from shared_model.exchange import Payload, shared_tensors
from shared_model.progress import RunProgress
from shared_model.statistics import pool

TABLE = """
[data.table]
file = "export.csv"
images = "pictures"
[data.table.columns]
image = "photo"
patient = "person"
icdr = "grade"
"""


class Direct:
    """Sites that are called directly; what each answered is kept."""

    def __init__(self, workers: Mapping[str, SiteWorker]) -> None:
        self.workers = workers
        self.answers: list[tuple[str, str, Payload]] = []

    def addresses(self) -> list[str]:
        return list(self.workers)

    def ask(
        self, question: Question, payloads: Mapping[str, Payload]
    ) -> Iterator[tuple[str, Payload | SiteFailure]]:
        for address, payload in payloads.items():
            call = getattr(self.workers[address], question)
            try:
                answer = call() if question in ("join", "statistics") else call(payload)
            except DataError as error:
                yield address, SiteFailure(error.what)
                continue
            self.answers.append((address, question, answer))
            yield address, answer


Hospital = Callable[..., tuple[SiteWorker, SiteState]]


@pytest.fixture
def hospital(tmp_path: Path, data_folder: Path, small_config: Callable[..., Config]) -> Hospital:
    def make(name: str, *, policy: str = "", table: bool = False) -> tuple[SiteWorker, SiteState]:
        folder = tmp_path / name
        shutil.copytree(data_folder, folder / "data")
        if table:  # photographs and grades, and nothing else
            labels = pd.read_csv(folder / "data" / "labels_brset.csv", dtype=str)
            shown = labels[["image_id", "patient_id", "DR_ICDR"]]
            shown.columns = pd.Index(["photo", "person", "grade"])
            shown.to_csv(folder / "data" / "export.csv", index=False)
            (folder / "data" / "fundus_photos").rename(folder / "data" / "pictures")
        adapter = "table" if table else "brset"
        (folder / "site.toml").write_text(
            f'[site]\nname = "{name}"\n[data]\nfolder = "data"\nadapter = "{adapter}"\n'
            f"{TABLE if table else ''}\n[split]\ntrain = 0.6\nvalidation = 0.2\n[policy]\n{policy}\n"
        )
        config = load_site(folder / "site.toml")
        state = SiteState.open(config.state, config.key)
        return SiteWorker(config, state, small_config(), run="run-1", federation="north"), state

    return make


def federate(
    sites: Direct, config: Config, folder: Path, on_round: Callable[[RoundRecord], None] = lambda record: None
) -> RunFolder:
    folder.mkdir()
    store = RunFolder(folder)
    run_federation(sites, config, store, on_round=on_round)
    return store


def test_a_hospital_with_everything_and_one_with_photographs_alone_train_together(
    hospital: Hospital, small_config: Callable[..., Config], tmp_path: Path
) -> None:
    sites = Direct({"a": hospital("paulista")[0], "b": hospital("moema", table=True)[0]})
    store = federate(sites, small_config(), tmp_path / "run")
    assert [row["round"] for row in store.history()] == [0, 1, 2]
    assert all(set(row["sites"]) == {"paulista", "moema"} for row in store.history()[1:])
    trained = {(site, question) for site, question, _ in sites.answers if question == "train"}
    assert trained == {("a", "train"), ("b", "train")}


def test_an_exclusion_counts_from_the_next_round_and_does_not_show(
    hospital: Hospital, small_config: Callable[..., Config], tmp_path: Path
) -> None:
    worker, state = hospital("paulista")
    barred: list[str] = []

    def bar_one(record: RoundRecord) -> None:
        if not barred:
            barred.append(next(str(p) for p in range(40) if runs_of(state, state.patient(str(p)))))
            gone = exclude(state, barred[0])
            assert gone.new
            assert [(use.run, use.federation) for use in gone.runs] == [("run-1", "north")]

    sites = Direct({"a": worker, "b": hospital("moema")[0]})
    store = federate(sites, small_config(), tmp_path / "run", bar_one)
    assert [row["round"] for row in store.history()] == [0, 1, 2]
    use = runs_of(state, state.patient(barred[0]))
    assert [(u.first_round, u.last_round) for u in use] == [(1, 1)]
    assert excluded(state) == {state.patient(barred[0])}
    counts = [answer.fields["examples"] for site, q, answer in sites.answers if site == "a" and q == "train"]
    assert len(set(counts)) == 1


def test_a_call_that_the_policy_does_not_name_is_refused(hospital: Hospital) -> None:
    worker, _ = hospital("paulista", policy='calls = ["join"]')
    assert worker.join().fields["site"] == "paulista"
    with pytest.raises(DataError, match="does not allow the call 'statistics'"):
        worker.statistics()
    with pytest.raises(DataError, match="does not allow the call 'train'"):
        worker.train(Payload())


def test_statistics_are_those_that_describe_shows(hospital: Hospital) -> None:
    worker, state = hospital("paulista")
    config = worker._config
    with RunProgress(Console(stderr=True)) as progress:
        shown = describe_site(config, state, progress, "north", size=64)
    assert worker.statistics().fields["statistics"] == shown.message["statistics"]
    assert worker.join().fields["examples"] == shown.message["join"]["examples"]
    with RunProgress(Console(stderr=True)) as progress:
        again = describe_site(config, state, progress, "north", size=64)
    assert again.message == shown.message
    assert "stored answer" in again.text


def test_what_is_said_of_every_round_names_what_holds_it_back(hospital: Hospital) -> None:
    worker, state = hospital("paulista", policy="minimum_cell = 7")
    with RunProgress(Console(stderr=True)) as progress:
        shown = describe_site(worker._config, state, progress, "north", size=64).text
    every_round = shown.split("Every round:")[1].split("Once a run")[0]
    assert "mean training losses and seconds, but none of these three in a private run" in every_round
    assert "fewer than minimum_cell (7) validation patients have a label, none of the three" in every_round


def _excluded_in_training(worker: SiteWorker, state: SiteState) -> None:
    trained = set(worker._training_patients())
    exclude(state, next(str(p) for p in range(40) if state.patient(str(p)) in trained))


def test_another_run_is_told_the_count_from_before_an_exclusion(
    hospital: Hospital, small_config: Callable[..., Config]
) -> None:
    worker, state = hospital("paulista")
    joined = worker.join().fields["examples"]
    _excluded_in_training(worker, state)
    config = worker._config
    later = SiteWorker(config, state, small_config(), run="run-2", federation="north")
    assert later.join().fields["examples"] == joined
    assert later._prepared is not None
    assert (later._prepared.table["split"] == "train").sum() < joined
    with RunProgress(Console(stderr=True)) as progress:
        shown = describe_site(config, state, progress, "north", size=64)
    assert shown.message["join"]["examples"] == joined
    assert f"{joined} training photographs" in shown.text
    elsewhere = SiteWorker(config, state, small_config(), run="run-3", federation="south")
    with pytest.raises(AnswerRefused):
        elsewhere.join()


def test_joining_settles_what_round_0_is_told(hospital: Hospital) -> None:
    """Else a patient who is excluded between the two calls would be the difference between them."""
    worker, state = hospital("paulista")
    joined = worker.join().fields["examples"]
    _excluded_in_training(worker, state)
    assert worker.statistics().fields["statistics"]["records"] == joined


def test_answers_that_were_deleted_are_missed(hospital: Hospital) -> None:
    worker, state = hospital("paulista")
    worker.join()
    assert state.remove("answers/statistics.json")
    with pytest.raises(DataError, match="missing from its records"):
        worker.statistics()


def finished_model(config: Config, worker: SiteWorker) -> dict:
    """The request that asks about a model as it was built, with the statistics the site itself told."""
    joined = worker.statistics().fields["statistics"]
    objective = resident_model(config).objective
    return {
        "arrays": shared_tensors(objective),
        "fields": {"round": 3, "standardisation": pool([joined]).to_dict()},
    }


def test_a_finished_model_is_judged_by_sums_in_three_answers(
    hospital: Hospital, small_config: Callable[..., Config]
) -> None:
    worker, _ = hospital("paulista", policy="minimum_cell = 3")
    told = finished_model(small_config(), worker)
    losses = worker.temperature(Payload(**told)).fields["temperature"]
    calibration = fit_temperature([losses] * 4)  # one site alone has too few photographs for a temperature
    assert set(calibration.temperature) == set(calibration.image_temperature) == {"icdr", "sdrg"}
    asking = Payload(told["arrays"], told["fields"] | {"calibration": calibration.to_dict()})
    scores = worker.scores(asking).fields["scores"]
    assert fit_points(calibration, [scores] * 4).points_of("icdr", "image") is not None
    figures = worker.site_figures(Payload(**told)).fields["site_figures"]
    assert pool_figures([("paulista", figures)])["icdr"]["all"]["n"] > 0


def test_no_two_answers_about_finished_models_can_be_subtracted(
    hospital: Hospital, small_config: Callable[..., Config]
) -> None:
    worker, state = hospital("paulista", policy="minimum_cell = 3")
    told = finished_model(small_config(), worker)
    first = worker.site_figures(Payload(**told)).fields
    assert worker._prepared is not None
    table = worker._prepared.table
    tested = set(table.loc[table["split"] == "test", "patient_id"])
    exclude(state, next(str(p) for p in range(40) if state.patient(str(p)) in tested))
    assert worker.site_figures(Payload(**told)).fields == first
    nearly = {name: array + (name == "model.heads.icdr.bias") for name, array in told["arrays"].items()}
    with pytest.raises(AnswerRefused, match="another finished model"):
        worker.site_figures(Payload(nearly, told["fields"]))
    with pytest.raises(AnswerRefused, match="another finished model"):  # whatever the question
        worker.temperature(Payload(nearly, told["fields"]))
    later = SiteWorker(worker._config, state, small_config(), run="run-2", federation="north")
    with pytest.raises(AnswerRefused, match="too few patients have changed"):
        later.site_figures(Payload(**told))


def test_a_site_that_does_not_evaluate_says_nothing_of_a_finished_model(hospital: Hospital) -> None:
    worker, _ = hospital("paulista", policy='calls = ["join", "statistics", "train"]')
    for question in (worker.temperature, worker.site_figures):
        with pytest.raises(DataError, match="does not allow the call 'evaluate'"):
            question(Payload())


@pytest.mark.parametrize(
    ("policy", "table", "tells"),
    [
        ("minimum_cell = 3", False, ["icdr", "sdrg"]),
        ("minimum_cell = 3", True, ["icdr"]),
        ("minimum_cell = 15", False, []),  # more than the patients that validate, fewer than those that train
        ('minimum_cell = 3\ncalls = ["join", "statistics", "train"]', False, []),
    ],
)
def test_its_keys_of_a_secure_round_say_of_which_tasks_it_has_figures_to_tell(
    policy: str, table: bool, tells: list[str], hospital: Hospital, small_config: Callable[..., Config]
) -> None:
    worker, state = hospital("paulista", policy=policy, table=table)
    plan = small_config("secure_aggregation.enabled=true", "federation.sites=0")
    secure = SiteWorker(worker._config, state, plan, run="run-2", federation="north")
    keys = secure.secure_aggregation(Payload(fields={"step": "keys", **new_round("train", 1).to_field()}))
    assert keys.fields["advert"]["tells"] == tells
