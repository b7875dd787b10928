from __future__ import annotations

from pathlib import Path

import pytest

from client.isolation.pool import CRASHED, TOO_SLOW, Failure, Pool
from shared_model.errors import RunError


def some(folder: Path) -> list[str]:
    return [str(folder / f"{number}.jpg") for number in range(6)]


def test_a_crash_costs_one_file(tmp_path: Path, worker: str) -> None:
    victims = [*some(tmp_path), str(tmp_path / "crash"), *(f"{path}?" for path in some(tmp_path))]
    with Pool(worker, 2) as pool:
        answers = dict(pool.answers(victims))
    assert answers.pop(str(tmp_path / "crash")) == Failure(CRASHED)
    assert answers == {path: path.encode() for path in victims if not path.endswith("crash")}


def test_a_file_that_takes_for_ever_is_given_up(tmp_path: Path, worker: str) -> None:
    with Pool(worker, 2, seconds=1.0) as pool:
        answers = dict(pool.answers([*some(tmp_path), "hang"]))
    assert answers["hang"] == Failure(TOO_SLOW)
    assert len(answers) == 7


def test_a_worker_has_a_ceiling_on_its_memory(worker: str) -> None:
    with Pool(worker, 1, memory=500 * 2**20) as pool:
        assert dict(pool.answers(["grow"])) == {"grow": b"MemoryError"}


def test_workers_that_do_not_start_are_an_error() -> None:
    with pytest.raises(RunError, match="do not start"), Pool("no_such_module_at_all", 2) as pool:
        list(pool.answers(["a"]))


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module whose worker crashes, hangs or grows at the file's word."""
    (tmp_path / "bad_worker.py").write_text(
        "import os, time\n"
        "from client.isolation.serve import serve\n"
        "def task(path):\n"
        "    if path.endswith('crash'): os.abort()\n"
        "    if path == 'hang': time.sleep(60)\n"
        "    if path == 'grow':\n"
        "        try: return bytes(len(bytearray(2**30)))\n"
        "        except MemoryError: return b'MemoryError'\n"
        "    return path.encode()\n"
        "serve(task)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    return "bad_worker"
