"""A Ray cluster that is not there, or does not fit: one message, soon, and the command ends."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flwr.app import Context
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

from shared_model.config import Config
from shared_model.errors import RunError
from simulations import prepare
from simulations.engines import ray_cluster
from simulations.engines.grid import InlineGrid, run_in
from simulations.engines.ray_cluster import ADDRESS, cluster_address, connected
from simulations.engines.ray_shares import Node, actors_here, share_of_a_site
from simulations.engines.stoppable import StoppableServer
from tests.simulations.conftest import Outcome
from tests.simulations.test_run_mistakes import refused

IN_TIME = 300.0  # seconds for a command that finds no cluster, on a machine that is busy
SOON = 10.0


@pytest.fixture
def listener() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_a_cluster_that_does_not_answer_ends_the_command_with_one_message(
    synthetic: Path, small: list[str], tmp_path: Path
) -> None:
    place = f"127.0.0.1:{free_port()}"
    arguments = ["run", "--data", str(synthetic), "--out", str(tmp_path / "out"), "--engine", "ray", *small]
    arguments += ["--set", "evaluation.comparison=false", "--set", "runtime.threads=1"]
    shown = subprocess.run(
        [sys.executable, "-c", "from simulations.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        timeout=IN_TIME,
        check=False,
        env={**os.environ, ADDRESS: place},
    )
    assert shown.returncode == 3
    assert shown.stderr.count("error:") == 1
    assert (
        f"error: no Ray cluster that this machine can join\n  where: {ADDRESS}={place}\n  fix: "
        in shown.stderr
    )
    assert "Traceback" not in shown.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    ["run", "crossvalidate", "audit", "privacy-curve", "tables", "transfer", "weighting", "exchange-study"],
)
def test_every_command_tells_it_before_a_photograph_is_read(
    name: str,
    command: Callable[..., Outcome],
    synthetic: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(ADDRESS, f"127.0.0.1:{free_port()}")
    monkeypatch.setattr(
        prepare, "build_image_store", lambda *given, **more: pytest.fail("photographs were read")
    )
    sets = ["--set", "runtime.engine=ray", "--set", "runtime.threads=1"]
    shown = command(name, "--data", synthetic, "--out", tmp_path / "out", "--preset", "tiny", *sets)
    refused(shown, "no Ray cluster that this machine can join")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "given", ["here", "127.0.0.1", ":6379", "127.0.0.1:port", "h:0", "ray://127.0.0.1:10001"]
)
def test_what_is_no_address_is_named(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ADDRESS, given)
    with pytest.raises(RunError, match="not the address of a Ray cluster") as error:
        cluster_address()
    assert error.value.where == f"{ADDRESS}={given}"


@pytest.mark.parametrize("given", [None, "", "local"])
def test_without_an_address_ray_is_started_here(given: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ADDRESS, raising=False)
    if given is not None:
        monkeypatch.setenv(ADDRESS, given)
    assert cluster_address() is None


def test_something_else_at_the_address_is_not_waited_for(
    listener: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ADDRESS, f"127.0.0.1:{listener}")
    monkeypatch.setattr(ray_cluster, "TO_LOOK", 5.0)
    started = time.monotonic()
    with pytest.raises(RunError, match="no Ray cluster that this machine can join"), connected(1, tmp_path):
        pass
    assert time.monotonic() - started < 6 * SOON


def test_a_server_that_looks_for_its_sites_ends_when_it_is_told_to() -> None:
    looking = ServerApp()

    @looking.main()
    def main(grid: Grid, context: Context) -> None:
        while True:
            list(grid.get_node_ids())
            time.sleep(0.01)

    ended: list[str] = []
    server = StoppableServer(looking, {}, lambda: ended.append("told"))
    thread = threading.Thread(target=run_in, args=(InlineGrid(ClientApp(), 1), server.app(), {}), daemon=True)
    thread.start()
    time.sleep(0.1)
    assert ended == []
    server.stop()
    thread.join(SOON)
    assert not thread.is_alive()
    assert ended == ["told"]
    assert server.failure is None  # that it was stopped is not what went wrong


def test_what_ends_a_server_is_kept_and_its_configuration_reaches_it() -> None:
    failing = ServerApp()

    @failing.main()
    def main(grid: Grid, context: Context) -> None:
        raise RunError(str(context.run_config["run-folder"]))

    server = StoppableServer(failing, {"run-folder": "there"}, lambda: None)
    run_in(InlineGrid(ClientApp(), 1), server.app(), {})
    assert isinstance(server.failure, RunError)
    assert server.failure.what == "there"


@pytest.mark.parametrize(
    ("nodes", "share"),
    [
        ([(8, 1)], 0.25),  # four processes of two threads on one GPU
        ([(8, 4)], 1.0),
        ([(6, 2)], 0.5),  # three on two: a share of two thirds would leave the third without a place
        ([(16, 1), (4, 0)], 0.125),
        ([(6, 1)], 0.3333),
        ([(2, 4)], 1.0),  # a process takes no more than one
    ],
)
def test_processes_share_the_gpus_where_the_run_trains_on_them(
    nodes: list[tuple[int, int]], share: float, small_config: Callable[..., Config]
) -> None:
    machines = [Node(str(number), *has) for number, has in enumerate(nodes)]
    on_cuda = small_config("runtime.device=cuda")
    assert share_of_a_site(machines, 2, on_cuda) == {"num_cpus": 2, "num_gpus": share}
    for without in (small_config("runtime.device=cpu"), small_config("privacy.enabled=true")):
        assert share_of_a_site(machines, 2, without)["num_gpus"] == 0


def test_machines_without_room_for_a_site_are_named_before_anything_starts(
    small_config: Callable[..., Config],
) -> None:
    with pytest.raises(RunError, match="lends 4 processors"):
        share_of_a_site([Node("a", 2, 0), Node("b", 3, 1)], 4, small_config())
    with pytest.raises(RunError, match="lends a GPU"):
        share_of_a_site([Node("a", 2, 0)], 1, small_config("runtime.device=cuda"))


def test_a_machine_of_ones_own_gets_the_processes_that_were_asked_for() -> None:
    assert actors_here(jobs=4, threads=8, sites=10) == 4
    assert actors_here(jobs=4, threads=1, sites=3) == 3
    assert actors_here(jobs=0, threads=10_000, sites=3) == 1
