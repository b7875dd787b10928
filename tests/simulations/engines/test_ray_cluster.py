"""A run that joins a cluster of two Ray nodes on this machine, which are ended by their process ids."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from client.app import app as client_app
from client.cache.listener import heard_by
from client.worker.simulated import ROOT_VARIABLE
from server.app import make_app
from server.store import RunFolder
from shared_model.config import Config, to_toml
from shared_model.errors import RunError
from shared_model.offline import SETTINGS
from simulations.engines import run_engine
from simulations.engines.ray import _simulate
from simulations.engines.ray_cluster import ADDRESS, connected
from simulations.engines.stoppable import StoppableServer
from simulations.prepare import Prepared
from tests.client.cache.conftest import FROZEN, Heard
from tests.simulations.engines.test_ray_address import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(580)]
Workspace = Callable[..., tuple[Path, Prepared]]
COMMON = ("--block", "--num-gpus=0", "--object-store-memory=200000000", "--disable-usage-stats")
PATIENT = {"RAY_agent_register_timeout_ms": "300000"}  # a raylet ends itself where its agent takes longer
TO_START = 90.0  # seconds for a node, on a machine that is busy
TRIES = 3
SETTLED = 3.0  # seconds after which a node that could not hold itself has ended
TO_FAIL = 90.0
TO_END = 15.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a cluster of two nodes, two processors and one."""
    folder, port = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp")), free_port()  # sockets want a short path
    head = ["--head", f"--port={port}", "--num-cpus=2", "--include-dashboard=false", f"--temp-dir={folder}"]
    started: list[subprocess.Popen[bytes]] = []
    try:
        started.append(_node(folder, *head))
        started.append(_node(folder, f"--address=127.0.0.1:{port}", "--num-cpus=1"))
        yield f"127.0.0.1:{port}"
    finally:
        for node in reversed(started):
            _end(node)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def joined(cluster: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(ADDRESS, cluster)
    return cluster


def test_a_joined_cluster_gives_the_weights_of_inline_and_tells_of_the_cache(
    joined: str, workspace: Workspace, small_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    common = [*FROZEN, "cache.image_draws=2", "federation.rounds=1", "federation.sites=3"]
    common += ["runtime.threads=1", "runtime.precision=fp32"]
    found: dict[str, RunFolder] = {}
    told: dict[str, Heard] = {}
    for engine in ("inline", "ray"):
        config = small_config(*common, f"runtime.engine={engine}")
        root, prepared = workspace(config, f"{engine}-work")
        found[engine] = RunFolder(root.with_name(engine))
        (found[engine].path / "config.toml").write_text(to_toml(config))
        monkeypatch.setenv(ROOT_VARIABLE, str(root))
        told[engine] = Heard()
        with heard_by(told[engine]):
            run_engine(config, found[engine].path, len(prepared.sites), lambda record: None)
    inline, ray = (found[engine].load_weights("last") for engine in ("inline", "ray"))
    assert inline.keys() == ray.keys()
    assert all(inline[name].tobytes() == ray[name].tobytes() for name in inline)
    assert not (found["ray"].path / "refused-updates.jsonl").exists()
    assert sorted(told["ray"].said) == sorted(told["inline"].said)
    assert any(done == total and unit == "views" for done, total, unit in told["ray"].steps)


def test_a_folder_that_the_machines_lack_is_named_before_anything_starts(joined: str, tmp_path: Path) -> None:
    lacking = tmp_path / "elsewhere"
    with (
        pytest.raises(RunError, match="2 of 2 machines of the Ray cluster lack the run's folder") as error,
        connected(1, lacking),
    ):
        pass
    assert str(lacking) in error.value.where


def test_a_backend_that_fails_beside_the_server_is_one_message_and_ends_it(
    joined: str, workspace: Workspace, small_config: Callable[..., Config]
) -> None:
    config = small_config()
    root, _ = workspace(config)
    folder = RunFolder(root.with_name("run")).path
    (folder / "config.toml").write_text(to_toml(config))
    server = StoppableServer(make_app(), {"run-folder": str(folder)}, lambda: None)
    with connected(1, root):
        started = time.monotonic()
        with pytest.raises(RunError, match="the simulation's Ray backend failed") as error:
            _simulate(server, client_app, 2, {"client_resources": {"num_cpus": 1000, "num_gpus": 0.0}})
        assert time.monotonic() - started < TO_FAIL
    assert "ActorPool is empty" in error.value.fix
    assert server._ended.is_set()


def _node(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """A node that runs; on a busy machine Ray gives its own processes too little time now and then."""
    for _ in range(TRIES):
        log = folder / "node.log"
        with log.open("w") as stream:
            node = subprocess.Popen(
                [str(Path(sys.executable).with_name("ray")), "start", *COMMON, *arguments],
                stdout=stream,
                stderr=stream,
                env={**os.environ, **SETTINGS, **PATIENT},
                start_new_session=True,
            )
        if _runs(node, log):
            return node
        _end(node)
    pytest.skip(f"NOT tested: no Ray node starts here, in {TRIES} attempts: {log.read_text()[-300:]}")


def _runs(node: subprocess.Popen[bytes], log: Path) -> bool:
    until = time.monotonic() + TO_START
    while "Ray runtime started" not in log.read_text():
        if node.poll() is not None or time.monotonic() > until:
            return False
        time.sleep(0.2)
    time.sleep(SETTLED)
    return any(psutil.Process(number).name() == "raylet" for number in _group(node))


def _end(node: subprocess.Popen[bytes]) -> None:
    """The node and all that it has started, which are of its process group whoever their parent is."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(node.pid, number)
        until = time.monotonic() + TO_END
        while time.monotonic() < until and _group(node):
            node.poll()
            time.sleep(0.1)
    assert _group(node) == []


def _group(node: subprocess.Popen[bytes]) -> list[int]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            if os.getpgid(process.pid) == node.pid and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found
