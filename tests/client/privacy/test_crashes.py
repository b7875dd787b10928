"""A site that dies at any instant has charged too much rather than too little, and never tells two answers for one."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared_model.exchange import Payload

MakeSite = Callable[..., Any]
KILLS = 10  # `make soak` asks for 100
# Two patients a step on average, so that a round is quick; a budget that is not used up.
QUICK = ("privacy.patients=2", "training.local_steps=1", "federation.rounds=40", "privacy.epsilon=90.0")


class Died(BaseException):
    """The process was gone in the middle of a write."""


def digest(answer: Payload) -> str:
    content = hashlib.sha256(answer.fields_json().encode())
    for name in sorted(answer.arrays):
        content.update(name.encode() + answer.arrays[name].tobytes())
    return content.hexdigest()


def dying(monkeypatch: pytest.MonkeyPatch, after: int) -> Callable[[], int]:
    """Every write that counts ends in one of these calls; the `after`-th one does not come back. How many came."""
    seen = 0

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **named: Any) -> Any:
            nonlocal seen
            seen += 1
            if seen == after:
                raise Died
            return call(*arguments, **named)

        return wrapped

    for name in ("fsync", "replace"):
        monkeypatch.setattr(os, name, counted(getattr(os, name)))
    return lambda: seen


def test_a_failure_at_any_write_of_a_round_never_counts_too_little(
    private_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = private_site("", *QUICK)
    left: dict[tuple[int, float], set[str]] = {(1, 0.0): {digest(site.worker().train(site.ask(1)))}}
    points, at = 0, 0
    while at == points:  # until a round is done without dying
        at += 1
        with monkeypatch.context() as patched:
            count = dying(patched, at)
            try:
                answer = site.worker().train(site.ask(2, at / 1000))
            except Died:
                points += 1
            else:
                left.setdefault((2, at / 1000), set()).add(digest(answer))
                assert count() < at
        again = site.worker().train(site.ask(2, at / 1000))  # whoever resumes asks again
        left.setdefault((2, at / 1000), set()).add(digest(again))
        assert len(site.trained()) >= len(left)
    assert points >= 6  # participation, line, head and the round's file
    assert all(len(answers) == 1 for answers in left.values())
    assert len(left) <= len(site.trained()) <= len(left) + points


def _rounds(site: Any, told: Path, ready: Any) -> None:
    """A process that answers one round after another, as a run that is resumed would; what left stands in `told`."""
    worker = site.worker()
    number = 1 + len(told.read_text().splitlines()) // 2
    parent = multiprocessing.parent_process()
    with told.open("a", encoding="utf-8") as stream:
        while parent is not None and parent.is_alive():
            for shift in (0.0, 0.01):  # a coordinator that takes another base and asks again
                stream.write(f"{number} {shift} {digest(worker.train(site.ask(number, shift)))}\n")
                stream.flush()
                ready.set()
            number += 1


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_worker_killed_at_any_instant_never_counts_too_little(
    private_site: MakeSite, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    kills = int(request.config.getoption("--kills", default=KILLS) or KILLS)
    site, told = private_site("", *QUICK, "federation.rounds=1000"), tmp_path / "told"
    told.touch()
    site.worker().train(site.ask(1))  # so that the processes below begin in the middle
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["client.worker.site_worker", "client.privacy.registered"])
    instants = random.Random(6)
    spent = 0.0  # seconds from the start of a process to its first answer
    for number in range(kills):
        ready, started = context.Event(), time.monotonic()
        process = context.Process(target=_rounds, args=(site, told, ready))
        process.start()
        assert process.pid is not None
        if number == 0:
            assert ready.wait(500)
            spent = min(20.0, time.monotonic() - started)
        else:
            time.sleep(instants.uniform(0.2, 2.0) * spent)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        _require_counted(site, told)
    assert told.read_text()  # or nothing was tried
    answer = site.worker().train(site.ask(900))
    assert answer.fields["steps"] == 1


def _require_counted(site: Any, told: Path) -> None:
    """As many charges as different answers that left, or more, round by round."""
    left: dict[int, set[str]] = {}
    for line in told.read_text().splitlines():
        number, _, answer = line.split()
        left.setdefault(int(number), set()).add(answer)
    charged = [int(entry.detail["round"]) for entry in site.trained()]
    assert all(charged.count(number) >= len(answers) for number, answers in left.items())
