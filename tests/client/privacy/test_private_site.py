"""Private runs at a hospital: every step is in its ledger before its update leaves, and it alone decides how many."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from client.privacy.budget import budget
from client.privacy.dp import accountant
from client.privacy.dp.accountant import Steps, epsilon_of, noise_for
from client.privacy.ledger import BudgetExhausted, LedgerError
from client.rights.exclude import exclude
from client.rights.participation import record_participation
from server.federation import run_federation
from server.guard.report import report_problem
from server.sites import Question, SiteFailure
from server.store import RunFolder
from server.store.run_folder import REFUSED
from shared_model.errors import ConfigError, DataError, FedFundusError
from shared_model.exchange import Payload

MakeSite = Callable[..., Any]


class Called:
    """Sites that are called directly, as a coordinator's messages would."""

    def __init__(self, workers: Mapping[str, Any]) -> None:
        self.workers = workers

    def addresses(self) -> list[str]:
        return list(self.workers)

    def ask(
        self, question: Question, payloads: Mapping[str, Payload]
    ) -> Iterator[tuple[str, Payload | SiteFailure]]:
        for address, payload in payloads.items():
            call = getattr(self.workers[address], question)
            try:
                yield address, call() if question in ("join", "statistics") else call(payload)
            except FedFundusError as error:
                yield address, SiteFailure(error.what)


def same(a: Payload, b: Payload) -> bool:
    return a.fields_json() == b.fields_json() and all(
        a.arrays[name].tobytes() == b.arrays[name].tobytes() for name in a.arrays
    )


def test_hospitals_train_privately_together_and_each_charges_its_own_ledger(
    private_site: MakeSite, tmp_path: Path
) -> None:
    sites = {name: private_site("epsilon_limit = 20.0", name=name) for name in ("paulista", "moema")}
    (tmp_path / "run").mkdir()
    store = RunFolder(tmp_path / "run")
    run_federation(Called({name: site.worker() for name, site in sites.items()}), sites["moema"].plan, store)
    assert [set(row["sites"]) for row in store.history()[1:]] == [set(sites)] * 2
    for site in sites.values():
        assert [(e.run, e.detail["round"], e.detail["steps"]) for e in site.trained()] == [
            ("run-1", 1, 2),
            ("run-1", 2, 2),
        ]
        privacy = site.plan.privacy
        assert site.book.spent().epsilon == pytest.approx(privacy.epsilon, rel=0.01)
        assert site.book.spent().epsilon <= privacy.epsilon


def test_the_charge_is_on_disk_before_anything_is_drawn(
    private_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = private_site()

    def dies(*_: object) -> None:
        assert len(site.trained()) == 1
        raise KeyboardInterrupt

    monkeypatch.setattr("client.privacy.dp.rounds.train_privately", dies)
    with pytest.raises(KeyboardInterrupt):
        site.worker().train(site.ask(1))
    monkeypatch.undo()
    answer = site.worker().train(site.ask(1))  # nothing had left, and it counts all the same
    assert answer.fields["steps"] == 2
    assert [entry.detail["round"] for entry in site.trained()] == [1, 1]


def test_the_same_round_is_told_once_and_charged_once_another_base_again(private_site: MakeSite) -> None:
    site = private_site()
    first = site.worker().train(site.ask(1))
    assert same(site.worker().train(site.ask(1)), first)
    assert len(site.trained()) == 1
    other = site.worker().train(site.ask(1, 0.01))
    assert not same(other, first)
    assert len(site.trained()) == 2
    assert report_problem(first.fields) is None
    assert (first.fields["loss"], first.fields["losses"]) == (0.0, {})


def test_noise_and_draws_are_the_operating_systems(private_site: MakeSite) -> None:
    one, two = private_site(name="one"), private_site(name="two")
    a, b = (site.worker().train(site.ask(1)) for site in (one, two))  # the same patients, plan and seed
    assert not any(
        np.array_equal(a.arrays[name], b.arrays[name]) for name in a.arrays if a.arrays[name].any()
    )
    seeded = private_site("", "privacy.seeded=true", name="seeded")
    with pytest.raises(ConfigError, match="noise from a seed"):
        seeded.worker().join()
    assert seeded.book.entries() == []


def test_a_coordinator_cannot_ask_for_more_than_the_site_allows(private_site: MakeSite) -> None:
    """The plan's epsilon is for 8 steps; the site's own limit is worth 6 of them."""
    noise = noise_for(50.0, 1e-5, 1.0, 8)
    limit = epsilon_of([Steps(noise, 1.0, 6)], 1e-5) + 1e-6
    site = private_site(f"epsilon_limit = {limit}", "privacy.epsilon=50.0", "training.local_steps=4")
    assert [site.worker().train(site.ask(number)).fields["steps"] for number in (1, 2)] == [4, 2]
    assert [entry.detail["steps"] for entry in site.trained()] == [4, 2]
    assert site.book.spent().epsilon <= limit
    richer = site.plan.model_copy(update={"privacy": site.plan.privacy.model_copy(update={"epsilon": 90.0})})
    for plan, run in ((None, "run-1"), (None, "run-2"), (richer, "run-3")):
        with pytest.raises(BudgetExhausted) as refused:
            site.worker(plan, run).train(site.ask(3))
        assert refused.value.what == "this site's privacy limit would be passed"
    assert len(site.trained()) == 2


def test_an_exhausted_site_declines_and_the_round_goes_on_without_it(
    private_site: MakeSite, tmp_path: Path
) -> None:
    poor, rich = private_site("epsilon_limit = 0.01", name="poor"), private_site(name="rich")
    (tmp_path / "run").mkdir()
    store = RunFolder(tmp_path / "run")
    run_federation(Called({"a": poor.worker(), "b": rich.worker()}), rich.plan, store)
    assert [row["sites"]["rich"]["examples"] > 0 for row in store.history()[1:]] == [True, True]
    said = (store.path / REFUSED).read_text()
    assert said.count("this site's privacy limit would be passed") == 2
    assert poor.trained() == []


@pytest.mark.parametrize("harm", ["ledger lost", "head lost", "both lost", "cut short", "altered"])
def test_a_ledger_that_is_not_as_it_was_written_refuses_training(private_site: MakeSite, harm: str) -> None:
    site = private_site("statistics = []")
    site.worker().train(site.ask(1))
    ledger, head = site.state.path("ledger"), site.state.path("ledger.head")
    for path in {"ledger lost": [ledger], "head lost": [head], "both lost": [ledger, head]}.get(harm, []):
        path.unlink()
    if harm == "cut short":
        ledger.write_bytes(b"")
    if harm == "altered":
        ledger.write_bytes(ledger.read_bytes().replace(b'"steps":2', b'"steps":1'))
    with pytest.raises(LedgerError):
        site.worker().train(site.ask(2))
    assert not any(path.name == "round-2.safetensors" for path in site.state.folder.rglob("*"))


def test_a_beginning_that_was_interrupted_is_begun_again_and_a_lost_ledger_is_not(
    private_site: MakeSite,
) -> None:
    site = private_site()
    assert site.book.entries() == []
    site.state.path("ledger.head").unlink()  # died before it was written; nothing was ever told
    assert site.book.entries() == []
    record_participation(site.state, "run-1", "north", ["a"])
    for name in ("ledger", "ledger.head"):
        site.state.path(name).unlink()
    with pytest.raises(LedgerError, match="lost"):
        site.book.entries()


def test_noisy_statistics_are_missed_when_an_older_ledger_is_put_back(private_site: MakeSite) -> None:
    site = private_site("epsilon_limit = 4.0\nstatistics_epsilon = 1.0")
    site.book.charge("run-0", "training", 0.0, 0.0, {"noise_multiplier": 2.0, "rate": 0.2, "steps": 1})
    paths = [site.state.path(name) for name in ("ledger", "ledger.head")]
    older = [path.read_bytes() for path in paths]
    site.worker().statistics()
    for path, content in zip(paths, older, strict=True):
        path.write_bytes(content)
    site.state.path("answers/statistics.json").unlink()  # or the answer alone would be given again
    for use in (site.worker().statistics, site.worker().join, lambda: budget(site.config, site.state)):
        with pytest.raises(LedgerError, match="lacks a charge that was made at this site"):
            use()


@pytest.mark.parametrize(
    ("asked", "rounds"),
    [((2, 0.0), "deleted"), ((1, 0.01), "kept")],
    ids=["the next round", "the same round again"],
)
def test_an_older_ledger_put_back_is_missed_whatever_was_charged_since(
    asked: tuple[int, float], rounds: str, private_site: MakeSite
) -> None:
    site = private_site("epsilon_limit = 90.0\nstatistics = []\nstatistics_epsilon = 0.1")
    site.worker().train(site.ask(1))
    paths = [site.state.path(name) for name in ("ledger", "ledger.head")]
    older = [path.read_bytes() for path in paths]
    site.worker().train(site.ask(*asked))
    newer = [path.read_bytes() for path in paths]
    if rounds == "deleted":  # as an exclusion does
        for path in site.state.folder.glob("worker/*/round-*"):
            path.unlink()
    for path, content in zip(paths, older, strict=True):
        path.write_bytes(content)
    another = site.worker(run="run-2")
    for use in (
        lambda: another.train(site.ask(1)),
        another.statistics,
        lambda: budget(site.config, site.state),
    ):
        with pytest.raises(LedgerError, match="lacks a charge that was made at this site"):
            use()
    for path, content in zip(paths, newer, strict=True):
        path.write_bytes(content)
    another.train(site.ask(1))
    assert len(site.trained()) == 3


def test_what_a_run_keeps_of_its_last_charge_is_read_or_refused(private_site: MakeSite) -> None:
    site = private_site()
    site.worker().train(site.ask(1))
    for content in (b"{", b"[]", b'{"index": 0}'):
        site.state.write("worker/run-1/charged.json", content)
        with pytest.raises(LedgerError, match="cannot be read"):
            site.worker().train(site.ask(2))


def test_noise_that_was_registered_is_read_or_refused(private_site: MakeSite) -> None:
    site = private_site()
    site.worker().join()
    for content in (b"{", b"[]", b"{}", b'{"of": "abc", "plan": {"patients": 5}}'):
        site.state.write("worker/run-1/private.json", content)
        with pytest.raises(DataError, match="cannot be read"):
            site.worker().train(site.ask(1))
    assert site.trained() == []


def test_noise_stays_that_of_the_patients_who_were_registered(private_site: MakeSite) -> None:
    site = private_site("minimum_cell = 0", "privacy.patients=6")
    worker = site.worker()
    worker.train(site.ask(1))
    first = site.trained()[0].detail
    trained = set(worker._training_patients())
    exclude(site.state, next(str(p) for p in range(40) if site.state.patient(str(p)) in trained))
    site.worker().train(site.ask(2))
    second = site.trained()[1].detail
    assert (first["rate"], first["noise_multiplier"]) == (second["rate"], second["noise_multiplier"])
    assert first["rate"] == 6 / len(trained)


def test_a_site_that_does_not_evaluate_tells_nothing_of_its_validation_patients(
    private_site: MakeSite,
) -> None:
    site = private_site('calls = ["join", "statistics", "train"]')
    said = site.worker().train(site.ask(1)).fields
    assert said["validation"]["examples"] == 0
    assert report_problem(said) is None


def test_what_cannot_be_trained_privately_is_refused_and_not_charged(private_site: MakeSite) -> None:
    site = private_site("", "federation.strategy=fedprox", "training.proximal=0.1")
    with pytest.raises(ConfigError, match="FedProx"):
        site.worker().train(site.ask(1))
    assert site.trained() == []


def test_a_site_may_refuse_runs_that_are_not_private(private_site: MakeSite) -> None:
    site = private_site("require_private = true", "privacy.enabled=false")
    for call in (site.worker().join, lambda: site.worker().train(site.ask(1))):
        with pytest.raises(DataError, match="only in runs that train under differential privacy"):
            call()


def test_the_loose_bound_never_lets_pass_what_the_tight_one_would_not() -> None:
    steps = (Steps(1.1, 0.1, 40),)
    tight = epsilon_of(steps, 1e-5)
    assert accountant.within(steps, 1e-5, tight)
    assert not accountant.within(steps, 1e-5, math.nextafter(tight, 0.0))
    assert not accountant.within(steps, 1e-5, -1.0)
    assert not accountant.within((), 1e-5, -1.0)
