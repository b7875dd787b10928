"""The gateway's sign of life: there while the coordinator answers or a question is worked at, and not otherwise."""

from __future__ import annotations

import logging
import math
import os
import time
from pathlib import Path

import pytest

from client.gateway import heartbeat
from client.gateway.heartbeat import Heartbeat, silent

FLOWER = logging.getLogger("flwr")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "heartbeat"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "EVERY", 0.05)
    monkeypatch.setattr(heartbeat, "FAILING", 0.0)


def known(file: Path) -> float:
    found = silent(file)
    assert found is not None
    return found


def aged(file: Path) -> None:
    os.utime(file, (time.time() - 1000, time.time() - 1000))


def test_a_gateway_is_not_connected_until_the_coordinator_was_heard_and_leaves_no_sign(file: Path) -> None:
    gateway = Heartbeat(file)
    assert silent(file) is None
    with gateway.kept():
        assert known(file) == math.inf
        gateway.heard()
        assert known(file) < 60
        gateway.lost()
        assert known(file) == math.inf
        gateway.heard()  # at once, however short ago the last sign was
        assert known(file) < 60
    assert silent(file) is None


def test_what_an_earlier_gateway_left_is_no_sign_of_this_one(file: Path) -> None:
    file.touch()
    with Heartbeat(file).kept():
        assert known(file) == math.inf


def test_signs_are_rare(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "EVERY", 60.0)
    gateway = Heartbeat(file)
    gateway.heard()
    aged(file)
    gateway.heard()
    assert known(file) > 900


def test_while_a_question_is_answered_the_process_gives_signs(file: Path) -> None:
    gateway = Heartbeat(file)
    with gateway.kept():
        gateway.heard()
        with gateway.answering():
            aged(file)
            until = time.monotonic() + 20
            while known(file) > 60:
                assert time.monotonic() < until
                time.sleep(0.01)
        aged(file)
        time.sleep(0.3)
        assert known(file) > 900  # over: nothing but the coordinator counts again


def test_what_cannot_be_sent_while_answering_takes_the_connection_away_until_it_can(file: Path) -> None:
    gateway = Heartbeat(file)
    with gateway.kept():
        gateway.heard()
        with gateway.answering():
            FLOWER.warning("Connection attempt failed, retrying in %.2f seconds", 1.0)
            time.sleep(0.01)
            FLOWER.warning("Connection attempt failed, retrying in %.2f seconds", 2.0)
            time.sleep(0.3)
            assert known(file) == math.inf
            FLOWER.info("Connection successful after %.2f seconds and %s tries.", 3.0, 3)
            assert known(file) < 60


def test_one_failed_attempt_is_no_lost_connection(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "FAILING", 20.0)
    gateway = Heartbeat(file)
    with gateway.kept():
        gateway.heard()
        FLOWER.warning("Connection attempt failed, retrying in %.2f seconds", 1.0)
        assert known(file) < 60


def test_a_clock_that_was_set_back_leaves_no_sign_for_ever(file: Path) -> None:
    file.touch()
    os.utime(file, (time.time() + 3600, time.time() + 3600))
    assert known(file) > heartbeat.STALE


def test_a_disk_that_refuses_is_said_once_and_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = Heartbeat(tmp_path / "none" / "heartbeat")
    with gateway.kept():
        gateway.heard()
        gateway.lost()
    assert caplog.text.count("no sign of life can be written") == 1
