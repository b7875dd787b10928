from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from shared_model.errors import RunError
from simulations.bench.alone import measured_alone
from simulations.bench.running import run_benchmarks

EMPTY: dict[str, object] = {
    "what": "",
    "unit": "x",
    "goal": None,
    "better": "higher",
    "details": {},
    "applies": True,
}


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that stands for simulations.bench: what its __main__ does is each test's."""
    package = tmp_path / "otherbench"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr("simulations.bench.running.MODULE", "otherbench")
    return package / "__main__.py"


def test_one_that_fails_costs_its_own_figures_alone_and_leaves_no_files(modules: Path) -> None:
    figure = {"figures": [{**EMPTY, "name": "a.b", "runs": [2.0]}], "profile": {}, "facts": {}}
    modules.write_text(
        "import os, sys\nname, folder, answer = sys.argv[1:4]\n"
        "if name == 'bad': os.kill(os.getpid(), 9)\n"
        f"open(answer, 'w').write({json.dumps(json.dumps(figure))})\n"
    )
    said: list[str] = []
    found = dict(run_benchmarks(["bad", "good"], full=False, say=said.append))
    assert found["bad"] is None
    assert found["good"] is not None
    assert found["good"].figures[0].value == 2.0
    assert any("ended by SIGKILL" in line for line in said)


def test_an_interrupted_bench_ends_what_its_benchmark_started(
    modules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = tmp_path / "child"
    modules.write_text(
        "import subprocess, time\n"
        f"child = subprocess.Popen(['sleep', '60'])\nopen({str(noted)!r}, 'w').write(str(child.pid))\ntime.sleep(60)\n"
    )

    def interrupted(self: object, timeout: float | None = None) -> int:
        while not noted.exists() or not noted.read_text():
            time.sleep(0.05)
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr("subprocess.Popen.wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(run_benchmarks(["slow"], full=False, say=lambda line: None))
    until = time.monotonic() + 30
    while _runs(int(noted.read_text())):  # killed, but on a busy machine not at once gone
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_measurement_that_fails_says_its_last_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "measures.py").write_text(
        "import sys\nprint('{}') if sys.argv[1] == 'well' else sys.exit('no memory')\n"
    )
    assert measured_alone("measures", ["well"])["wall_seconds"] > 0
    with pytest.raises(RunError, match="no memory"):
        measured_alone("measures", ["badly"])


def _runs(pid: int) -> bool:
    """Not a process that has ended and only waits to be collected."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
