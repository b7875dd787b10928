"""The page of faults is made of what the tests recorded: one meaning of recovery, newest rows, nothing left out."""

from __future__ import annotations

import ast
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fault_record import VARIABLE, Recorder, recorded
from fault_runs import Fault, Runs
from fault_table import PAGE, document, expected

NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "faults.jsonl"))
    return Recorder()


def test_what_was_recorded_last_of_an_event_counts(recorder: Recorder) -> None:
    recorder("site", "a site hangs", "absent", 0, 50.0)
    recorder("site", "a site raises", "absent", 0, 20.0)
    recorder("site", "a site hangs", "absent", 0, 40.0)
    assert [(row.event, row.seconds) for row in recorded()] == [
        ("a site hangs", 40.0),
        ("a site raises", 20.0),
    ]


def test_what_the_tests_have_and_the_record_has_not_is_named(recorder: Recorder) -> None:
    for event in expected():
        if event != "a site raises":
            recorder("site", event, "said", 0, 1.0)
    text = document(recorded(), NOW)
    assert "**Not recorded, so not in the tables:** a site raises." in text
    recorder("site", "a site raises", "absent with the reason 'error at the site (ValueError)'", 0, None)
    text = document(recorded(), NOW)
    assert "Not recorded" not in text
    assert "| a site raises | absent with the reason 'error at the site (ValueError)' | 0 | - |" in text


def test_recovered_is_when_the_round_that_was_hit_and_the_next_are_complete() -> None:
    waited: list[int] = []

    class Counted(Runs):
        def complete(self, run: str, rounds: int, seconds: float = 0.0) -> None:
            waited.append(rounds)

    counted = Counted()
    assert counted.recovered("run", Fault(0.0, 6)) > 0
    counted.recovered("run", Fault(0.0, 6), hit=9)
    assert waited == [8, 10]
    assert "until the round that it hit and the next one were complete" in PAGE.read_text(encoding="utf-8")


def test_every_time_to_recover_comes_from_that_one_function() -> None:
    """None is measured in a test by itself."""
    for file in Path(__file__).parent.glob("test_*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        given = [
            call.args[-1]
            for call in calls
            if getattr(call.func, "id", "") == "recorder" and len(call.args) == 5
        ]
        for seconds in given if file.name != Path(__file__).name else ():
            assert ast.unparse(seconds) in ("took", "None"), file.name


def test_the_recorder_writes_a_line_a_row(recorder: Recorder, tmp_path: Path) -> None:
    recorder("kill", "e", "h", 0, 1.26)
    row: dict[str, Any] = json.loads((tmp_path / "faults.jsonl").read_text())
    assert row == {"group": "kill", "event": "e", "happened": "h", "rounds_lost": 0, "seconds": 1.3}
