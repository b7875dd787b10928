"""Bytes through the front, by its log: models and updates count, questions that find nothing do not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from server import moved
from server.moved import FrontLog, Moved

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


def test_what_came_from_sites_and_what_went_to_them_stand_apart(tmp_path: Path) -> None:
    file, memory = tmp_path / "front-access.log", tmp_path / "moved.json"
    log = FrontLog(file, memory=memory)
    assert log.counted() is None  # no front that keeps a log: nothing is known, which is not nothing
    file.write_text(line(1, 100, 20_000_000, PULL) + line(2, 5_000_000, 200, PUSH))
    assert log.counted() == Moved(5_000_100, 20_000_200)
    assert FrontLog(file, memory=memory).counted() == Moved(5_000_100, 20_000_200)
    assert FrontLog(file).skip().counted() == Moved(0, 0)


def test_a_log_that_is_gone_takes_nothing_back(tmp_path: Path) -> None:
    file, memory = tmp_path / "front-access.log", tmp_path / "moved.json"
    file.write_text(line(1, 50, 100, PULL))
    assert FrontLog(file, memory=memory).moved() == 150
    file.unlink()
    assert FrontLog(file, memory=memory).moved() == 150
    assert FrontLog(file, memory=memory).counted() == Moved(50, 100)
    assert (
        FrontLog(file, since=9.0, memory=memory).counted() is None
    )  # what is remembered is of another moment


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


def test_what_one_look_has_read_the_next_does_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, memory = tmp_path / "front-access.log", tmp_path / "moved.json"
    file.write_text(line(1, 10, 20, PULL) * 50 + line(2, 1, 1, ASK) * 1000)
    assert FrontLog(file, 0.5, memory).moved() == 1500
    size = file.stat().st_size
    with file.open("r+b") as stream:
        begin = len(stream.readline())
        stream.seek(begin)
        stream.write(
            b"x" * (size - 1 - begin)
        )  # what was read before is not looked at, but for the first line
    with file.open("a") as stream:
        stream.write(line(3, 5, 6, PUSH))
    assert FrontLog(file, 0.5, memory).moved() == 1511
    assert FrontLog(file, 2.5, memory).moved() == 11  # of another moment: nothing is taken over
    assert memory.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("kept", ["", "{", "[]", '{"since": 0.0}', '{"since": 0.0, "log": "x", "read": 1}'])
def test_a_damaged_memory_is_done_without(tmp_path: Path, kept: str) -> None:
    file, memory = tmp_path / "front-access.log", tmp_path / "moved.json"
    file.write_text(line(1, 10, 20, PULL))
    memory.write_text(kept)
    assert FrontLog(file, memory=memory).moved() == 30
    assert FrontLog(file, memory=memory).moved() == 30


def test_a_new_log_in_the_place_of_the_remembered_one_is_read_from_its_beginning(tmp_path: Path) -> None:
    file, memory = tmp_path / "front-access.log", tmp_path / "moved.json"
    file.write_text(line(1, 10, 20, PULL) * 2)
    assert FrontLog(file, memory=memory).moved() == 60
    file.rename(tmp_path / "front-access.log.1")
    file.write_text(line(2, 1, 2, PULL) * 9)
    assert FrontLog(file, memory=memory).moved() == 87


@pytest.mark.parametrize("remembered", [True, False])
def test_a_log_that_was_cut_and_has_grown_past_what_was_read_is_read_from_its_beginning(
    tmp_path: Path, remembered: bool
) -> None:
    file, memory = tmp_path / "front-access.log", tmp_path / "moved.json"
    file.write_text(line(1, 10, 20, PULL) * 2)
    log = FrontLog(file, memory=memory)
    assert log.moved() == 60
    inode = file.stat().st_ino
    shutil.copy(file, tmp_path / "front-access.log.1")  # as logrotate's copytruncate does
    with file.open("r+b") as stream:
        stream.truncate(0)
    with file.open("a") as stream:
        stream.write(line(2, 1, 2, PULL) * 9)
    assert file.stat().st_ino == inode
    log = FrontLog(file, memory=memory) if remembered else log
    assert log.moved() == 87
    assert log.moved() == 87


def test_a_first_line_that_was_half_there_makes_no_other_log(tmp_path: Path) -> None:
    file = tmp_path / "front-access.log"
    whole = line(1, 10, 20, PULL)
    file.write_text(whole[:20])
    log, later = FrontLog(file), FrontLog(file).skip()
    assert log.moved() == 0
    file.write_text(whole)
    assert log.moved() == 30
    assert later.moved() == 0
    with file.open("a") as stream:
        stream.write(line(2, 1, 2, PULL))
    assert log.moved() == 33
    assert later.moved() == 3


def test_in_a_long_log_only_the_end_that_matters_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "front-access.log"
    with file.open("w") as stream:
        for number in range(100_000):
            stream.write(line(10_000 + number, 1, 2, ASK if number % 3 else PULL))
    since, reads = 10_000 + 95_000.0, 0
    match = moved._LINE.match

    class Counting:
        def match(self, text: bytes) -> object:
            nonlocal reads
            reads += 1
            return match(text)

    monkeypatch.setattr(moved, "_LINE", Counting())
    expected = 3 * sum(1 for number in range(95_000, 100_000) if number % 3 == 0)
    assert FrontLog(file, since).moved() == expected
    assert reads < 10_000
    assert FrontLog(file).skip().moved() == 0
