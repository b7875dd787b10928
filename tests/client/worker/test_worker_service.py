"""The worker's socket from outside: the worker is a process of its own, its data real files, its plan signed."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from deployed import ROOT, Site

from client.gateway.worker_client import WorkerClient, WorkerProblem
from client.worker.calls import OPTIONS, SERVICE
from client.worker.parts import to_parts
from client.worker.resident import resident_model
from client.worker.worker_pb2 import Header, Part, Tensor
from shared_model.config import Config
from shared_model.errors import RunError
from shared_model.exchange import Payload, shared_tensors
from shared_model.run_plan import PACKAGE, PLAN, SIGNED_PLAN, SignedPlan
from shared_model.statistics import pool


@pytest.fixture(scope="module")
def client(deployed: Site) -> Iterator[WorkerClient]:
    with WorkerClient(deployed.socket) as client:
        yield client


@pytest.fixture(scope="module")
def joined(client: WorkerClient, signed: SignedPlan) -> Payload:
    return client.ask("join", Payload(fields={SIGNED_PLAN: signed.to_field()}))


@pytest.fixture(scope="module")
def training(
    client: WorkerClient, joined: Payload, signed: SignedPlan, small_config: Callable[..., Config]
) -> Payload:
    """What the coordinator asks in the first round."""
    told = client.ask("statistics", Payload(fields={PLAN: signed.sha256})).fields["statistics"]
    fields = {
        "round": 1,
        "learning_rate": 1e-3,
        "standardisation": pool([told]).to_dict(),
        PLAN: signed.sha256,
    }
    return Payload(shared_tensors(resident_model(small_config()).objective), fields)


def raw(site: Site, call: str) -> Callable[..., object]:
    channel = grpc.insecure_channel(f"unix:{site.socket}", options=OPTIONS)
    return channel.stream_stream(
        f"/{SERVICE}/{call}", request_serializer=Part.SerializeToString, response_deserializer=Part.FromString
    )


def test_a_site_joins_under_the_hashes_that_its_operator_approved(
    deployed: Site, joined: Payload, signed: SignedPlan
) -> None:
    assert joined.fields["site"] == "paulista"
    assert joined.fields[PLAN] == signed.sha256
    assert joined.fields[PACKAGE] in deployed.approvals().packages()


def test_a_round_crosses_the_socket_both_ways(client: WorkerClient, training: Payload) -> None:
    answer = client.ask("train", training)
    assert answer.fields["examples"] > 0
    assert set(answer.arrays) == set(training.arrays)
    assert any((answer.arrays[name] != training.arrays[name]).any() for name in answer.arrays)
    figures = client.ask("evaluate", Payload(training.arrays, training.fields | {"round": 0}))
    assert figures.fields["validation"]["examples"] > 0


def test_only_the_owner_can_open_the_socket_and_health_is_told(deployed: Site, client: WorkerClient) -> None:
    mode = deployed.socket.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    assert client.serving()


def test_status_says_which_hashes_are_at_work(
    client: WorkerClient, joined: Payload, signed: SignedPlan
) -> None:
    found = client.status()
    assert (found.site, found.plan, found.run) == ("paulista", signed.sha256, "run-1")
    assert found.package_approved


def test_calls_that_are_not_named_do_not_exist(deployed: Site, client: WorkerClient) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        list(raw(deployed, "Predict")(to_parts(Payload()), timeout=10))  # type: ignore[call-overload]
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED  # type: ignore[attr-defined]


def test_a_call_without_a_deadline_is_refused(deployed: Site, client: WorkerClient) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        list(raw(deployed, "Statistics")(to_parts(Payload())))  # type: ignore[call-overload]
    assert refused.value.details() == "a call needs a deadline"  # type: ignore[attr-defined]


def test_a_question_of_another_plan_is_refused(client: WorkerClient, training: Payload) -> None:
    other = Payload(training.arrays, training.fields | {PLAN: "0" * 64})
    with pytest.raises(WorkerProblem, match="has not joined the run that asks"):
        client.ask("train", other)


def test_a_round_that_the_plan_does_not_have_is_refused(client: WorkerClient, training: Payload) -> None:
    for number in (0, 3, True, "1", None):
        with pytest.raises(WorkerProblem, match="has rounds 1 to 2"):
            client.ask("train", Payload(training.arrays, training.fields | {"round": number}))


def test_more_bytes_than_the_plan_names_are_refused_before_they_are_taken(
    deployed: Site, training: Payload
) -> None:
    huge = Header(fields="{}", tensors=[Tensor(name="x", dtype="float32", shape=[1 << 40])])
    with pytest.raises(grpc.RpcError, match="bytes of tensors that are expected"):
        list(raw(deployed, "Train")(iter([Part(header=huge)]), timeout=30))  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ([], "no header"),
        ([Part(data=b"abc")], "no header"),
        ([Part(header=Header(fields="{}")), Part(data=b"abc")], "longer than it announced"),
        ([Part(header=Header(fields="{}")), Part(header=Header(fields="{}"))], "two headers"),
        ([Part(header=Header(fields='{"a": NaN}'))], "no JSON object"),
        (
            [Part(header=Header(fields="{}", tensors=[Tensor(name="x", dtype="float32", shape=[4])]))],
            "cut short",
        ),
        (
            [Part(header=Header(fields="{}", tensors=[Tensor(name="x", dtype="object", shape=[4])]))],
            "never travels",
        ),
    ],
)
def test_a_malformed_message_is_refused_in_words(
    deployed: Site, joined: Payload, parts: list[Part], why: str
) -> None:
    with pytest.raises(grpc.RpcError, match=why):
        list(raw(deployed, "Train")(iter(parts), timeout=30))  # type: ignore[call-overload]


def test_no_text_of_a_library_and_no_path_crosses(
    deployed: Site, client: WorkerClient, training: Payload
) -> None:
    broken = dict(training.arrays)
    name = next(iter(broken))
    broken[name] = np.zeros((3, 3), np.float32)
    with pytest.raises(WorkerProblem) as told:
        client.ask("train", Payload(broken, training.fields))
    assert str(deployed.folder) not in str(told.value)
    with pytest.raises(WorkerProblem, match=r"^error at the site \(KeyError\)"):
        client.ask(
            "train",
            Payload(training.arrays, {k: v for k, v in training.fields.items() if k != "learning_rate"}),
        )
    assert "KeyError: 'learning_rate'" in deployed.log


def test_a_second_question_waits_for_its_turn(client: WorkerClient, training: Payload) -> None:
    answers: list[Payload] = []
    askers = [
        threading.Thread(target=lambda: answers.append(client.ask("train", training, patience=120)))
        for _ in range(2)
    ]
    for asker in askers:
        asker.start()
    while not client.status().busy:
        time.sleep(0.01)
    assert client.status().busy == "train"
    with pytest.raises(RunError, match=r"did not answer in time"):
        client.ask("train", training, patience=0.05)
    for asker in askers:
        asker.join()
    assert len(answers) == 2


def test_a_second_worker_cannot_take_the_socket(deployed: Site) -> None:
    command = [sys.executable, "-m", "client", "worker", "--config", str(deployed.file)]
    second = subprocess.run(
        [*command, "--socket", str(deployed.socket)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert second.returncode == 3
    assert "another worker is running at this socket" in second.stderr
    assert "Traceback" not in second.stderr
    with WorkerClient(deployed.socket) as client:
        assert client.serving()


def test_a_worker_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    with WorkerClient(tmp_path / "none.sock") as client, pytest.raises(RunError, match="cannot be reached"):
        client.ask("join", Payload())


def test_a_killed_worker_starts_again_and_goes_on_with_its_plan(
    deployed: Site, training: Payload, signed: SignedPlan
) -> None:
    deployed.processes[-1].kill()
    deployed.processes[-1].wait()
    assert deployed.socket.exists()
    deployed.start()
    with WorkerClient(deployed.socket) as client:
        assert client.status().plan == signed.sha256
        answer = client.ask("train", Payload(training.arrays, training.fields | {"round": 2}))
    assert answer.fields["round"] == 2
