"""The commands against a real SuperLink and real SuperNodes on loopback, one of Flower's processes killed between."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from client.worker.simulated import ROOT_VARIABLE, forget_workers
from server.store.runs import RunStore
from server.submitting import OFFLINE
from shared_model.config import Config, to_toml
from shared_model.files import write_text
from simulations.engines.inline import run_inline

BIN = Path(sys.executable).parent
PATIENCE = 600.0  # seconds; one of Flower's messages starts a process that imports torch
ROUNDS = 2  # the second one is killed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]
Command = Callable[..., subprocess.CompletedProcess[str]]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@pytest.fixture
def workspace_of(
    workspace: Callable[..., tuple[Path, Any]], small_config: Callable[..., Config]
) -> tuple[Path, Config]:
    config = small_config(f"federation.rounds={ROUNDS}", "federation.quorum=2", "exchange.uplink=int8")
    return workspace(config)[0], config


@pytest.fixture
def superlink(workspace_of: tuple[Path, Config], tmp_path: Path) -> Iterator[str]:
    """Its address; two sites are connected to it."""
    root = tmp_path / "sites"
    shutil.copytree(workspace_of[0], root)
    environment = {**os.environ, **OFFLINE, "OMP_NUM_THREADS": "1", ROOT_VARIABLE: str(root)}
    environment["PATH"] = f"{BIN}:{environment['PATH']}"
    address, started = f"127.0.0.1:{free_port()}", []

    def start(name: str, *given: str) -> None:
        log = (tmp_path / f"{name}.log").open("w")
        home = {"FLWR_HOME": str(tmp_path / f"{name}-home")}
        command = [str(BIN / given[0]), "--insecure", *given[1:]]
        started.append(
            subprocess.Popen(command, env=environment | home, stdout=log, stderr=log, start_new_session=True)
        )

    try:
        host, port = address.split(":")
        start("superlink", "flower-superlink", "--host", host, "--port", port)
        wait_for(lambda: listens(int(port)))
        for index in range(2):
            node = f"partition-id={index} num-partitions=2"
            start(
                f"node{index}",
                *("flower-supernode", "--superlink", address),
                *("--port", str(free_port()), "--node-config", node),
            )
        yield address
    finally:
        for process in reversed(started):
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
            process.wait()


def listens(port: int) -> bool:
    with socket.socket() as found:
        return found.connect_ex(("127.0.0.1", port)) == 0


def wait_for(holds: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    until = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.5)
    return found


@pytest.fixture
def command(tmp_path: Path, superlink: str) -> Command:
    def call(*given: str) -> subprocess.CompletedProcess[str]:
        link = ["--superlink", superlink] if given[0] in ("launch", "resume") else []
        return subprocess.run(
            [sys.executable, "-m", "server", *given, *link, "--store", str(tmp_path / "store")],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    return call


def server_app(address: str) -> psutil.Process | None:
    """The process that Flower started for the run."""
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if any("flwr-serverapp" in part for part in line) and address in line:
            return process
    return None


def test_a_run_is_launched_killed_resumed_and_exported_and_its_weights_are_the_inline_engines(
    command: Command,
    superlink: str,
    workspace_of: tuple[Path, Config],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root, config = workspace_of
    write_text(tmp_path / "run.toml", to_toml(config))
    launched = command("launch", str(tmp_path / "run.toml"), "--preset", "tiny", "--name", "real", "--detach")
    assert launched.returncode == 0, launched.stderr
    store = RunStore(tmp_path / "store")
    wait_for(lambda: store.row("real").complete >= 1)
    process = server_app(superlink)
    assert process is not None
    process.send_signal(signal.SIGKILL)
    wait_for(lambda: store.row("real").state == "interrupted", 10)
    assert command("status", "real").returncode == 3
    refused = command("export", "real", "--out", str(tmp_path / "model"))
    assert (refused.returncode, "C307" in refused.stderr) == (3, True)
    resumed = command("resume", "real", "--json")
    assert resumed.returncode == 0, resumed.stderr
    document = json.loads(resumed.stdout)
    assert (document["state"], document["complete"]) == ("finished", ROUNDS)
    assert [(site["site"], site["rounds"]) for site in document["sites"]] == [
        ("site-1", ROUNDS),
        ("site-2", ROUNDS),
    ]
    assert command("export", "real", "--out", str(tmp_path / "model")).returncode == 0
    statement = json.loads((tmp_path / "model" / "statement.json").read_text())
    figures = command("figures", "real", "--json")
    assert figures.returncode == 0, figures.stderr
    pooled = json.loads(figures.stdout)["pooled"]
    assert (pooled["icdr"]["all"]["sites"], statement["test"]["pooled"]) == (2, pooled)
    assert (tmp_path / "model" / "calibration.json").is_file()
    assert command("status", "real").returncode == 0
    store.create("inline", config, federation="here", canary=False, plan=None)
    monkeypatch.setenv(ROOT_VARIABLE, str(root))
    forget_workers()
    run_inline(store.folder / "runs" / "inline", 2, lambda record: None)
    found, expected = (store.open(run).load_weights("last") for run in ("real", "inline"))
    assert all(found[name].tobytes() == expected[name].tobytes() for name in expected)
