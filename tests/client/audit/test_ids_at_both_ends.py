"""What two sites say they answered is what the coordinator says arrived, by the same ids, whatever lies between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from deployed import Site, make_federation, make_site

from client.audit.log import AuditLog
from client.worker import host as hosting
from client.worker.host import WorkerHost
from client.worker.parts import from_parts, to_parts
from server.errors import CoordinatorError
from server.executing import execute
from server.kit import read_kit
from server.launching import launch_run
from server.planned_sites import planned
from server.sites import Question, SiteFailure
from server.store import audit
from server.store.report import participation, run_document
from server.store.runs import RunStore
from shared_model.config import Config
from shared_model.errors import FedFundusError
from shared_model.exchange import Payload
from shared_model.exchange.flower_records import from_records, to_records
from shared_model.exchange.message_id import message_id
from shared_model.exchange.packed import opened, packed
from shared_model.run_plan import SignedPlan

LARGEST = 1 << 30
NAMES = ("moema", "paulista")


@dataclass
class Hosts:
    """server.sites.Sites over workers of this process, with every conversion that a message goes through."""

    hosts: Mapping[str, WorkerHost]

    def addresses(self) -> list[str]:
        return sorted(self.hosts)

    def ask(
        self, question: Question, payloads: Mapping[str, Payload]
    ) -> Iterator[tuple[str, Payload | SiteFailure]]:
        for address, payload in payloads.items():
            request = from_parts(to_parts(opened(from_records(to_records(payload)))), LARGEST)
            try:
                answer = self.hosts[address].answer(question, request)
            except FedFundusError as error:
                yield address, SiteFailure(error.what)
                continue
            yield address, from_records(to_records(packed(from_parts(to_parts(answer), LARGEST))))


@dataclass
class Federation:
    sites: dict[str, Site]
    store: RunStore
    run: str

    def execute(self) -> None:
        folder = self.store.open(self.run)
        hosts = Hosts({str(number): host_of(site) for number, site in enumerate(self.sites.values(), 1)})
        execute(self.store, self.run, planned(hosts, folder.path, folder.event))

    def said(self, site: str) -> list[dict[str, Any]]:
        return list(AuditLog(self.sites[site].opened()[1]).lines())

    def heard(self, event: str) -> list[dict[str, Any]]:
        return [
            line["detail"] for line in audit.lines(self.store.database, self.run) if line["event"] == event
        ]


def host_of(site: Site) -> WorkerHost:
    host = WorkerHost(*site.opened())
    site.approvals().approve_package(host.package)
    return host


@pytest.fixture(scope="module", autouse=True)
def measured() -> Iterator[None]:
    """Somebody may be editing the package while this runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hosting, "package_sha256", lambda: "ab" * 32)
        yield


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory, data_folder: Path, small_config: Callable[..., Config]
) -> Federation:
    folder = tmp_path_factory.mktemp("federation")
    kits = make_federation(folder)
    sites = {name: make_site(folder / name, data_folder, kits / name) for name in NAMES}
    store = RunStore(folder / "store")
    run = launch_run(store, small_config(), name="one", kit=read_kit(kits / "coordinator"), canary=False)
    signed = SignedPlan.of(read_plan(store, run))
    for site in sites.values():
        site.trust()
        site.approvals().approve_plan(signed)
    federation = Federation(sites, store, run)
    federation.execute()
    return federation


def read_plan(store: RunStore, run: str) -> Any:
    return store.open(run).load_json("plan.json")


def test_every_answer_of_a_site_arrived_under_its_id_and_no_other_did(finished: Federation) -> None:
    assert finished.store.row("one").state == "finished"
    for name in NAMES:
        answered = [line["detail"] for line in finished.said(name) if line["event"] == "answered"]
        assert [one["question"] for one in answered[:2]] == ["join", "statistics"]
        assert {one["plan"] for one in answered} == {finished.store.row("one").plan_sha256}
        received = [one for one in finished.heard("received") if one["site"] == name]
        assert [(one["question"], one.get("round"), one["id"]) for one in answered] == [
            (one["question"], one.get("round"), one["id"]) for one in received
        ]
        used = [one for one in finished.heard("used") if one["site"] == name]
        assert {one["id"] for one in used} == {one["id"] for one in answered if one["question"] == "train"}


def test_the_participation_ledger_says_which_data_package_and_plan(finished: Federation) -> None:
    rows = participation(finished.store, "one")
    assert [(row["round"], row["site"]) for row in rows] == [(r, name) for r in (1, 2) for name in NAMES]
    row = finished.store.row("one")
    packages = {line["detail"]["package"] for line in finished.said("moema") if "package" in line["detail"]}
    for one in rows:
        assert one["plan"] == row.plan_sha256
        assert {one["package"]} == packages
        assert len(one["data"]) == 64
        assert one["epsilon"] is None
    assert len({one["data"] for one in rows}) == 2  # keyed: the same noise at two sites looks different
    assert [site["rounds"] for site in run_document(finished.store, row)["sites"]] == [2, 2]


def test_what_the_operators_agreed_to_stands_before_the_first_answer(finished: Federation) -> None:
    events = [line["event"] for line in finished.said("paulista")]
    before = events[: events.index("answered")]
    assert {"federation trusted", "plan approved", "package approved"} <= set(before)


def test_a_run_that_a_site_did_not_approve_fails_and_is_refused_in_both_records(
    finished: Federation, small_config: Callable[..., Config]
) -> None:
    store, kit = finished.store, read_kit(finished.sites["moema"].kit.parent / "coordinator")
    config = small_config("federation.quorum=2", "seed=7")
    run = launch_run(store, config, name="two", kit=kit, canary=False)
    finished.sites["moema"].approvals().approve_plan(SignedPlan.of(read_plan(store, run)))
    second = Federation(finished.sites, store, run)
    with pytest.raises(CoordinatorError, match="has not approved the run plan"):
        second.execute()
    assert store.row("two").state == "failed"
    refused = [line["detail"] for line in second.said("paulista") if line["event"] == "refused"]
    assert refused[-1]["question"] == "join"
    assert "has not approved the run plan" in refused[-1]["why"]


def test_the_id_is_of_all_that_a_message_says(finished: Federation) -> None:
    given = Payload(fields={"round": 1, "losses": {"grading": 0.1}})
    assert message_id(given) == message_id(Payload(fields={"losses": {"grading": 0.1}, "round": 1}))
    assert message_id(given) != message_id(Payload(fields={"round": 2, "losses": {"grading": 0.1}}))
