from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from server import executing
from server.errors import CoordinatorError
from server.executing import canary, deployed, execute
from server.following import exit_code, follow
from server.sites import SiteFailure
from server.store import audit, people
from server.store.report import run_document, taken_part
from server.store.runs import RunStore
from shared_model.config import Config
from shared_model.errors import ConfigError
from shared_model.exchange import Payload
from tests.server.store.conftest import Sites, created


def test_a_run_is_created_carried_out_and_told(store: RunStore, config: Config, sites: Sites) -> None:
    run = created(store, config)
    assert (store.row(run).state, exit_code(store.row(run))) == ("created", 3)
    execute(store, run, sites())
    row = store.row(run)
    assert (row.state, row.complete, exit_code(row)) == ("finished", 2, 0)
    document = run_document(store, row)
    assert [(s["site"], s["rounds"], s["examples"]) for s in document["sites"]] == [
        ("north", 2, 10),
        ("south", 2, 30),
        ("west", 2, 2),
    ]
    assert document["validation"]["loss"] == 1.0
    json.dumps(document, allow_nan=False)
    assert [line["event"] for line in audit.lines(store.database, run)] == [
        "created",
        "running",
        "began",
        *(["used"] * 3 + ["round complete"]) * 2,
        "judged",
        "finished",
    ]
    (first,) = store.database.rows("SELECT * FROM participation WHERE round = 1 AND site = 'north'")
    assert (first["data"], first["examples"]) == ("ab" * 32, 10)


def test_its_files_are_for_the_coordinator_alone(store: RunStore, config: Config) -> None:
    created(store, config)
    assert stat.S_IMODE(os.stat(store.database.path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(store.folder / "runs" / "r1").st_mode) == 0o700


def test_a_run_whose_quorum_is_missing_is_no_success(store: RunStore, config: Config, sites: Sites) -> None:
    gone = dict.fromkeys(("2", "3"), lambda request: SiteFailure("gone"))
    run = created(store, config)
    with pytest.raises(CoordinatorError, match="the quorum is 2"):
        execute(store, run, sites(gone))
    row = store.row(run)
    assert (row.state, row.code, exit_code(row)) == ("failed", "C201", 3)
    assert "south: gone" in row.reason
    kinds = {(line["site"], line["kind"]) for line in run_document(store, row)["not_used"]}
    assert kinds == {("south", "absent"), ("west", "absent")}
    assert taken_part(store, "north") == []  # its update was used in a round that never was one


def test_a_failed_run_goes_on_and_ends_as_one_that_never_failed(
    store: RunStore, config: Config, sites: Sites
) -> None:
    whole = created(store, config, "whole")
    execute(store, whole, sites())
    carrier = sites()
    honest = dict(carrier.train)
    for address in ("2", "3"):
        carrier.train[address] = lambda r, a=address: (
            SiteFailure("gone") if r.fields["round"] == 2 else honest[a](r)
        )
    run = created(store, config, "broken")
    with pytest.raises(CoordinatorError):
        execute(store, run, carrier)
    assert store.row(run).complete == 1
    execute(store, run, sites())
    a, b = (store.open(name).load_weights("last") for name in (whole, run))
    assert all(a[name].tobytes() == b[name].tobytes() for name in a)
    assert store.row(run).state == "finished"
    rows = [store.open(name).history() for name in (whole, run)]
    for row in (*rows[0], *rows[1]):
        row.pop("seconds")
    assert rows[0] == rows[1]
    with pytest.raises(CoordinatorError, match="the run is finished"):
        execute(store, run, sites())


def test_a_process_that_was_killed_leaves_an_interrupted_run(store: RunStore, config: Config) -> None:
    run = created(store, config)
    store.set_state(run, "running")
    assert store.row(run).state == "interrupted"
    assert exit_code(store.row(run)) == 3
    with store.locked(run):
        assert store.row(run).state == "running"
        with pytest.raises(CoordinatorError, match=r"C302 the run is under way"), store.locked(run):
            pass


def test_a_canary_keeps_nothing_and_fails_where_one_site_does(
    store: RunStore, config: Config, sites: Sites
) -> None:
    run = created(store, canary(config), "tweet", is_canary=True)
    execute(store, run, sites())
    assert store.row(run).state == "finished"
    assert store.row(run).rounds == 1
    assert list((store.folder / "runs" / "tweet").rglob("*.safetensors")) == []
    run = created(store, canary(config), "dead", is_canary=True)
    with pytest.raises(CoordinatorError, match=r"C204 the canary: west: gone"):
        execute(store, run, sites({"3": lambda request: SiteFailure("gone")}))
    assert store.row(run).state == "failed"


def test_a_launched_run_has_time_limits(config: Config) -> None:
    assert (config.federation.grace, config.federation.silence) == (0, 0)
    assert deployed(config).federation.silence == executing.DEPLOYED_SILENCE
    kept = config.model_copy(update={"federation": config.federation.model_copy(update={"grace": 5.0})})
    assert deployed(kept).federation.grace == 5.0


def test_a_changed_configuration_is_another_run(store: RunStore, config: Config, sites: Sites) -> None:
    run = created(store, config)
    path = store.folder / "runs" / run / "config.toml"
    path.write_text(path.read_text().replace("rounds = 2", "rounds = 3"))
    with pytest.raises(CoordinatorError, match="C310 the run's configuration is not the one"):
        execute(store, run, sites())


def test_a_missing_configuration_is_named_and_starts_nothing(
    store: RunStore, config: Config, sites: Sites
) -> None:
    run = created(store, config)
    path = store.folder / "runs" / run / "config.toml"
    path.unlink()
    with pytest.raises(CoordinatorError, match="C310 the run's configuration cannot be read") as error:
        execute(store, run, sites())
    assert error.value.where == str(path)


@pytest.mark.parametrize("name", ["../up", "", "a b", ".hidden", "x" * 101, "r1"])
def test_a_name_that_is_taken_or_none_is_refused(name: str, store: RunStore, config: Config) -> None:
    created(store, config)
    with pytest.raises(ConfigError):
        created(store, config, name)


def test_a_suspended_site_stays_away_from_later_runs_until_it_is_readmitted(
    store: RunStore, config: Config, sites: Sites, honest_update: Callable[..., Payload]
) -> None:
    federation = config.federation.model_copy(update={"rounds": 4, "suspend_after": 2})
    config = config.model_copy(update={"federation": federation})
    bad = {"3": lambda r: honest_update(r.fields["round"], 2, {})}
    execute(store, created(store, config, "first"), sites(bad))
    assert run_document(store, store.row("first"))["suspended"][0]["site"] == "west"
    carrier = sites()
    execute(store, created(store, config, "second"), carrier)
    assert "3" not in [address for question, address, _ in carrier.asked if question == "train"]
    people.readmit(store, "west")
    execute(store, created(store, config, "third"), sites())
    assert taken_part(store, "west")[0]["run"] == "third"
    with pytest.raises(CoordinatorError, match="C309 no site of this name is suspended"):
        people.readmit(store, "west")
    assert [line["event"] for line in audit.lines(store.database)].count("readmitted") == 1


def test_withdrawing_names_every_model_a_site_is_in(store: RunStore, config: Config, sites: Sites) -> None:
    execute(store, created(store, config, "with"), sites())
    execute(store, created(store, config, "without"), sites({"3": lambda r: SiteFailure("gone")}))
    found = taken_part(store, "west")
    assert [(row["run"], row["rounds"], row["examples"]) for row in found] == [("with", 2, 2)]
    people.bar(store, "west")
    carrier = sites()
    execute(store, created(store, config, "later"), carrier)
    assert "3" not in [address for question, address, _ in carrier.asked if question == "train"]
    with pytest.raises(CoordinatorError, match="C309 no site of this name is in the record"):
        people.require_known(store, "wset")


def test_a_damaged_store_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "runs.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(CoordinatorError, match=r"C305 the record of runs cannot be read"):
        RunStore(tmp_path)


def test_a_run_can_be_read_while_it_is_written(store: RunStore, config: Config, sites: Sites) -> None:
    run, states = created(store, config), []
    reader = RunStore(store.folder)
    carrier = sites()
    honest = carrier.train["1"]

    def watched(request: Payload) -> Payload:
        states.append((reader.row(run).state, reader.row(run).complete))
        return honest(request)

    carrier.train["1"] = watched
    execute(store, run, carrier)
    assert states == [("running", 0), ("running", 1)]


def test_following_tells_every_round_and_ends_with_the_run(
    store: RunStore, config: Config, sites: Sites
) -> None:
    run = created(store, config)
    was = store.row(run).changed
    execute(store, run, sites())
    heard: list[tuple[int, Any]] = []
    row = follow(store, run, lambda number, loss: heard.append((number, loss)), was=was)
    assert row.state == "finished"
    assert heard == [(0, 1.0), (1, 1.0), (2, 1.0)]


def test_a_run_that_flower_never_starts_has_failed(
    store: RunStore, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.following.START_SECONDS", 0.0)
    monkeypatch.setattr("server.following.POLL_SECONDS", 0.0)
    run = created(store, config)
    row = follow(store, run, lambda number, loss: None, was=store.row(run).changed)
    assert (row.state, row.code) == ("failed", "C402")
