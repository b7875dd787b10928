"""Bytes through the front, by its log: models and updates count, questions that find nothing do not."""

from __future__ import annotations

from pathlib import Path

from server.moved import FrontLog

PULL, PUSH, ASK = "/v1/fleet/pull-object", "/v1/fleet/push-object", "/v1/fleet/pull-messages"


def line(when: float, took: int, gave: int, path: str, status: int = 200) -> str:
    return f'{when:.3f} {took} {gave} {status} {path} 10.0.0.7 "CN=paulista"\n'


def test_models_and_updates_count_once(tmp_path: Path) -> None:
    file = tmp_path / "front-access.log"
    log = FrontLog(file)
    assert log.moved() == 0
    file.write_text(line(1, 100, 20_000_000, PULL) + line(2, 900, 150, ASK))
    assert log.moved() == 20_000_100
    assert log.moved() == 20_000_100
    with file.open("a") as stream:
        stream.write(line(3, 5_000_000, 200, PUSH) + "4.0 77")  # half a line
    assert log.moved() == 25_000_300


def test_what_the_front_refused_moves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "front-access.log"
    file.write_text(
        line(1, 28123, 389, PULL, 400) + line(2, 28123, 389, PUSH, 403) + line(3, 9, 9, f"/x 200 {PULL}", 400)
    )
    assert FrontLog(file).moved() == 0


def test_a_log_that_began_anew_is_read_from_its_beginning(tmp_path: Path) -> None:
    file = tmp_path / "front-access.log"
    log = FrontLog(file)
    file.write_text(line(1, 10, 20, PULL) * 50)
    assert log.moved() == 1500
    file.write_text(line(9, 1, 2, PULL))
    assert log.moved() == 1503


def test_what_was_before_the_run_does_not_count(tmp_path: Path) -> None:
    file = tmp_path / "front-access.log"
    file.write_text(line(1, 10, 20, PULL) + line(5, 1, 2, PULL) + "\x00\xff rubbish\n")
    assert FrontLog(file, since=4.0).moved() == 3
