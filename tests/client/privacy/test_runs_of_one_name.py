"""One run name, used with differential privacy and without: neither touches what the other left at the site."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from client.privacy.budget import budget
from client.worker.last_rounds import LastRounds
from shared_model.config import Config
from shared_model.errors import DataError

MakeSite = Callable[..., Any]


def without_privacy(plan: Config) -> Config:
    return plan.model_copy(update={"privacy": plan.privacy.model_copy(update={"enabled": False})})


def kept(site: Any) -> dict[Path, int]:
    """What lies in the run's folder and in the ledger, and when it was written."""
    folder = site.state.folder
    paths = [*(folder / "worker" / "run-1").iterdir(), *folder.glob("ledger*")]
    return {path: os.stat(path).st_mtime_ns for path in paths}


def calls(worker: Any, request: Any) -> list[Callable[[], Any]]:
    return [worker.join, worker.statistics, lambda: worker.train(request), lambda: worker.evaluate(request)]


@pytest.mark.parametrize("private_first", [True, False])
def test_a_name_that_was_used_one_way_is_refused_the_other_and_nothing_is_read_or_charged(
    private_first: bool, private_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = private_site("", "federation.rounds=4")
    plain = without_privacy(site.plan)
    first, then = (site.plan, plain) if private_first else (plain, site.plan)
    site.worker(first).train(site.ask(1))
    before = kept(site)

    def loaded(*_: object) -> None:
        raise AssertionError("another plan's state was read")

    with monkeypatch.context() as patched:
        patched.setattr(LastRounds, "start", loaded)
        patched.setattr(LastRounds, "answer", loaded)
        for number in (1, 2):
            for call in calls(site.worker(then), site.ask(number)):
                with pytest.raises(DataError, match="the run name run-1 stands for another plan"):
                    call()
    assert kept(site) == before
    assert len(site.trained()) == int(private_first)
    site.worker(first).train(site.ask(2))  # which goes on as before


def test_after_a_run_without_privacy_private_runs_go_on_and_the_budget_names_it(
    private_site: MakeSite,
) -> None:
    site = private_site()
    site.worker(without_privacy(site.plan)).train(site.ask(1))
    with pytest.raises(DataError, match="stands for another plan"):
        site.worker().train(site.ask(1))
    site.worker(run="run-2").train(site.ask(1))
    document = budget(site.config, site.state)
    assert document["without_privacy"] == ["run-1"]
    assert [run["run"] for run in document["runs"]] == ["run-2"]


def test_a_file_of_private_constants_does_not_hide_a_run_without_privacy(private_site: MakeSite) -> None:
    site = private_site()
    site.worker(without_privacy(site.plan)).train(site.ask(1))
    site.state.write("worker/run-1/private.json", b"{}")
    assert budget(site.config, site.state)["without_privacy"] == ["run-1"]
    site.worker(run="run-2").train(site.ask(1))
