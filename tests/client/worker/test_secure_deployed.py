"""Secure rounds over three worker processes behind their sockets, their keys signed with the keys of real kits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from deployed import FEDERATION, Site, make_federation, make_site, plan_of, signed_by_kit

from client.gateway.app import KIT_VARIABLE
from client.gateway.app import signed as with_signature
from client.gateway.worker_client import WorkerClient, WorkerProblem
from server.errors import CoordinatorError
from server.federation import run_federation
from server.planned_sites import PlannedSites
from server.sites import SiteFailure
from server.store import RunFolder
from shared_model.config import Config
from shared_model.exchange import Payload
from shared_model.exchange.packed import opened, packed
from shared_model.run_plan import PLAN, Question

pytestmark = pytest.mark.slow

NAMES = ("moema", "paulista", "santos")
SECURE = ("secure_aggregation.enabled=true", "federation.sites=3", "federation.rounds=1")


class SocketSites:
    """server.sites.Sites over workers' sockets, with what a gateway does: it signs keys and carries the rest."""

    def __init__(self, sites: Mapping[str, Site], monkeypatch: pytest.MonkeyPatch) -> None:
        self._sites = sites
        self._monkeypatch = monkeypatch
        self.killed_at: tuple[str, str] | None = None  # site and step

    def addresses(self) -> list[str]:
        return list(self._sites)

    def ask(
        self, question: Question, payloads: Mapping[str, Payload]
    ) -> Iterator[tuple[str, Payload | SiteFailure]]:
        for name, request in payloads.items():
            step = request.fields.get("step", question)
            if self.killed_at == (name, step):
                self._sites[name].processes[-1].kill()
                self._sites[name].processes[-1].wait()
            self._monkeypatch.setenv(KIT_VARIABLE, str(self._sites[name].kit))
            try:
                with WorkerClient(self._sites[name].socket) as client:
                    yield name, packed(with_signature(client.ask(question, opened(request))))
            except Exception as error:  # a worker that has gone, or that refuses
                yield name, SiteFailure(getattr(error, "what", type(error).__name__))


@pytest.fixture(scope="module")
def kits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_federation(tmp_path_factory.mktemp("north"), FEDERATION + "  - name: santos\n")


@pytest.fixture(scope="module")
def sites(
    tmp_path_factory: pytest.TempPathFactory, data_folder: Path, kits: Path
) -> Iterator[dict[str, Site]]:
    found = {name: make_site(tmp_path_factory.mktemp(name), data_folder, kits / name) for name in NAMES}
    for site in found.values():
        site.trust()
        site.start()
    yield found
    for site in found.values():
        site.stop()


def test_three_hospitals_train_and_the_coordinator_sees_their_sum(
    sites: dict[str, Site],
    kits: Path,
    small_config: Callable[..., Config],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = small_config(*SECURE)
    signed = signed_by_kit(plan_of(config, "secure"), kits / "coordinator")
    for site in sites.values():
        site.approvals().approve_plan(signed)
    carrier = SocketSites(sites, monkeypatch)
    store = RunFolder(tmp_path / "run")
    run_federation(PlannedSites(carrier, signed), config, store)
    rows = store.history()
    assert [row["round"] for row in rows] == [0, 1]
    assert set(rows[1]["sites"]) == set(NAMES)
    assert all(row["validation"]["loss"] > 0 for row in rows)
    assert all(np.isfinite(array).all() for array in store.load_weights("last").values())
    told = rows[1]["together"]
    assert told["loss"] > 0
    with WorkerClient(sites["moema"].socket) as client:
        request = Payload(
            fields={"round": 1, PLAN: signed.sha256, "standardisation": {}, "learning_rate": 1e-3}
        )
        with pytest.raises(WorkerProblem, match="is of no round that this site is in"):
            client.ask("train", request)

    # The same run asked for again, by a coordinator that says it lost the result.
    with pytest.raises(CoordinatorError, match=r"round 1 \(train\) has been opened already"):
        run_federation(PlannedSites(carrier, signed), config, RunFolder(tmp_path / "again"))


def test_a_worker_that_is_killed_between_its_answer_and_the_opening_is_not_missed(
    sites: dict[str, Site],
    kits: Path,
    small_config: Callable[..., Config],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = small_config(*SECURE, "seed=3")
    signed = signed_by_kit(plan_of(config, "killed"), kits / "coordinator")
    for site in sites.values():
        site.approvals().approve_plan(signed)
    carrier = SocketSites(sites, monkeypatch)
    carrier.killed_at = ("santos", "survivors")
    store = RunFolder(tmp_path / "run")
    run_federation(PlannedSites(carrier, signed), config, store)
    assert set(store.history()[1]["sites"]) == set(NAMES)  # its numbers are in the sum
    assert store.history()[0]["validation"]["loss"] > 0
    assert store.history()[1]["validation"]["loss"] is None  # two are left, and nobody evaluates among two
