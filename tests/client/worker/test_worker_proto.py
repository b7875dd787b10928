from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from client.worker.calls import method
from client.worker.worker_pb2 import DESCRIPTOR
from shared_model.run_plan import QUESTIONS, STATISTICS

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("suffix", [".py", ".pyi"])
def test_the_committed_python_is_what_worker_proto_makes(suffix: str, tmp_path: Path) -> None:
    pytest.importorskip("grpc_tools")
    made = [f"--{kind}_out={tmp_path}" for kind in ("python", "pyi")]
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", *made, "client/worker/worker.proto"]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)
    name = f"client/worker/worker_pb2{suffix}"
    assert (tmp_path / name).read_bytes() == (ROOT / name).read_bytes()


def test_every_question_is_a_call_and_every_call_a_question_but_status() -> None:
    calls = {call.name for call in DESCRIPTOR.services_by_name["SiteWorker"].methods}
    assert calls == {method(question) for question in QUESTIONS} | {"Status"}


def test_a_plan_names_the_groups_of_statistics_that_a_site_knows() -> None:
    from client.statistics.policy import GROUPS

    assert set(STATISTICS) == set(GROUPS)
