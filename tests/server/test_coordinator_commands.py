"""fedfundus-coordinator over a store in which runs have ended in every way; no SuperLink needs to answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from server.cli import app
from server.errors import CoordinatorError
from server.store import audit
from server.store.runs import RunStore
from shared_model.config import Config, to_toml
from shared_model.errors import ConfigError

Command = Callable[..., Result]


@pytest.fixture
def store(tmp_path: Path, small_config: Callable[..., Config]) -> RunStore:
    """`done`, `broken` and `fresh`, as the round loop leaves them."""
    found = RunStore(tmp_path / "store")
    config = small_config("federation.rounds=2")
    for run in ("done", "broken", "fresh"):
        found.create(run, config, federation="here", canary=False, plan=None)
    validation = {"loss": 1.5, "icdr": {"n": 4, "quadratic_weighted_kappa": 0.5, "accuracy": 0.5}}
    for run, rounds in (("done", 2), ("broken", 1)):
        folder = found.open(run)
        folder.joined(["north", "south"])
        for number in range(rounds + 1):
            folder.append_history({"round": number, "validation": validation, "sites": {}})
            if number:
                folder.took_part(number, "north", {"examples": 12})
                folder.round_complete(number)
    found.open("broken").append_quarantine({"round": 2, "site": "south", "reason": "holds NaN"})
    found.open("broken").suspend("south", 2, "holds NaN")
    found.set_state("done", "finished")
    found.set_state("broken", "failed", code="C201", reason="round 2 had 0 usable updates")
    return found


@pytest.fixture
def command(store: RunStore) -> Command:
    def call(*given: str) -> Result:
        return CliRunner().invoke(app, [*given, "--store", str(store.folder)])

    return call


def refused(result: Result) -> str:
    assert isinstance(result.exception, CoordinatorError | ConfigError), result.exception
    return str(result.exception)


@pytest.mark.parametrize(("run", "code"), [("done", 0), ("broken", 3), ("fresh", 3)])
def test_the_exit_code_of_status_is_that_of_the_run(run: str, code: int, command: Command) -> None:
    assert command("status", run).exit_code == code
    assert command("status", run, "--json").exit_code == code


def test_status_says_what_was_not_used_and_why(command: Command) -> None:
    shown = command("status", "broken").stdout
    for words in (
        "failed",
        "1 of 2 rounds",
        "C201 round 2 had 0 usable",
        "south, refused: holds NaN",
        "suspended since",
    ):
        assert words in shown
    document = json.loads(command("status", "broken", "--json").stdout)
    assert document["not_used"][0]["kind"] == "refused"
    assert document["validation"]["icdr"]["quadratic_weighted_kappa"] == 0.5
    unsaid = dict.fromkeys(("skipped", "data", "package", "epsilon", "steps", "privacy"))
    assert document["sites"] == [{"site": "north", "rounds": 1, "last": 1, "examples": 12} | unsaid]
    assert [(one["round"], one["site"]) for one in document["participation"]] == [(1, "north")]


def test_runs_are_listed_oldest_first(command: Command) -> None:
    listed = json.loads(command("runs", "--json").stdout)["runs"]
    assert [row["run"] for row in listed] == ["done", "broken", "fresh"]
    assert "C201" in command("runs").stdout


def test_withdrawing_names_models_and_refuses_a_slip(command: Command, store: RunStore) -> None:
    found = json.loads(command("withdraw", "north", "--json").stdout)
    assert [(row["run"], row["rounds"], row["examples"]) for row in found["runs"]] == [
        ("done", 2, 12),
        ("broken", 1, 12),
    ]
    assert "no model holds anything of south" in command("withdraw", "south").stdout
    assert "C309" in refused(command("withdraw", "nroth"))
    assert store.open("done").suspended() == ["south"]
    assert command("withdraw", "north", "--bar").exit_code == 0
    assert store.open("done").suspended() == ["north", "south"]


def test_readmitting_is_for_whoever_is_suspended(command: Command, store: RunStore) -> None:
    assert command("readmit", "south").exit_code == 0
    assert store.open("done").suspended() == []
    assert "C309" in refused(command("readmit", "south"))


def test_only_a_run_under_way_is_stopped(command: Command, store: RunStore) -> None:
    assert "C311 the run is finished" in refused(command("stop", "done"))
    store.set_state("fresh", "running")
    with store.locked("fresh"):
        assert command("stop", "fresh").exit_code == 0
    assert store.open("fresh").stop_requested()


def test_only_a_finished_run_is_exported(command: Command, tmp_path: Path) -> None:
    said = refused(command("export", "broken", "--out", str(tmp_path / "m")))
    assert "C307 the run is failed after 1 rounds" in said
    (tmp_path / "there").mkdir()
    assert "C307 the output folder exists" in refused(
        command("export", "done", "--out", str(tmp_path / "there"))
    )
    assert "--weights" in refused(command("export", "done", "--out", str(tmp_path / "m"), "--weights", "all"))
    assert not (tmp_path / "m").exists()


def test_an_untrained_model_is_not_exported_as_the_best(command: Command, tmp_path: Path) -> None:
    said = refused(command("export", "done", "--out", str(tmp_path / "m"), "--weights", "best"))
    assert "C307 no round has better validation figures than the start" in said
    assert not (tmp_path / "m").exists()


def test_a_finished_run_is_not_resumed(command: Command) -> None:
    assert "C303" in refused(command("resume", "done", "--superlink", "127.0.0.1:1"))


def test_a_run_of_no_such_name_says_which_there_are(command: Command) -> None:
    assert "one of: done, broken, fresh" in refused(command("status", "doen"))


def test_a_folder_without_a_record_is_said(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["status", "--store", str(tmp_path / "nowhere")])
    assert "C301 there is no record of runs here" in refused(result)
    assert not (tmp_path / "nowhere").exists()


def test_the_log_is_printed_once_its_chain_is_sound(command: Command, store: RunStore) -> None:
    lines = [json.loads(line) for line in command("log", "broken").stdout.splitlines()]
    assert [line["event"] for line in lines][-2:] == ["suspended", "failed"]
    with store.database.writing() as connection:
        connection.execute("DROP TRIGGER audit_keeps_words")
        connection.execute("UPDATE audit SET detail = '{}' WHERE seq = 5")
    assert "C306 the audit log was altered at line 5" in refused(command("log"))
    assert "C306" in refused(command("status", "done"))


def test_a_kit_or_an_address_is_needed_and_not_both(command: Command, tmp_path: Path) -> None:
    config = str(tmp_path / "run.toml")
    Path(config).write_text("")
    for given in ([], ["--kit", str(tmp_path), "--superlink", "127.0.0.1:1"]):
        assert "give one of the two" in refused(command("launch", config, *given))
    (tmp_path / "kit.toml").write_text('role = "site"\n')
    assert "not the coordinator's kit" in refused(command("launch", config, "--kit", str(tmp_path)))


def test_a_superlink_that_is_not_there_fails_the_run_in_its_record(
    store: RunStore, small_config: Callable[..., Config], tmp_path: Path
) -> None:
    """The real command in a process of its own: one message, the number, no traceback."""
    (tmp_path / "run.toml").write_text(to_toml(small_config()))
    given = [str(tmp_path / "run.toml"), "--preset", "tiny", "--superlink", "127.0.0.1:9", "--name", "lost"]
    done = subprocess.run(
        [sys.executable, "-m", "server", "launch", *given, "--store", str(store.folder)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 3
    assert "error: C401 the SuperLink" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    row = store.row("lost")
    assert (row.state, row.code) == ("failed", "C401")
    assert row.complete == 0


def test_a_model_that_no_site_was_asked_about_has_no_figures(command: Command) -> None:
    assert "C313 no site was asked" in refused(command("figures", "done"))


def test_an_export_says_what_it_is_made_of_and_is_signed(
    store: RunStore,
    tmp_path: Path,
    small_objective: Any,
    small_config: Callable[..., Config],
    standardisation: Any,
) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    from server.exporting import export_model, verify_export
    from server.kit import Kit
    from server.submitting import SuperLink
    from shared_model.artefact import load_artefact
    from shared_model.exchange import shared_tensors
    from shared_model.version import PIPELINE_VERSION
    from tests.server.signing_keys import certificate_of, private_pem

    key = ec.generate_private_key(ec.SECP384R1())
    kit = Kit("here", SuperLink(""), private_pem(key), certificate_of(key))
    folder = store.open("done")
    weights = {n: a + np.float32(0.5) for n, a in shared_tensors(small_objective()).items()}
    folder.save_weights("last", weights)
    folder.save_json("standardisation.json", standardisation.to_dict())
    folder.save_json("statistics.json", {"patients": 24})
    out = tmp_path / "model"
    digest = export_model(store, "done", out, weights="last", kit=kit)
    loaded = load_artefact(out, PIPELINE_VERSION)
    assert loaded.sha256 == digest
    statement = json.loads((out / "statement.json").read_text())
    assert (statement["weights"], statement["weights_round"]) == ("last", 2)
    (north,) = statement["sites"]
    assert [north[key] for key in ("site", "rounds", "last", "examples")] == ["north", 2, 2, 12]
    assert {"data", "package", "skipped", "epsilon"} <= north.keys()
    assert statement["weights_sha256"] == digest
    assert statement["privacy"] is None
    assert statement["test"] is None
    assert statement["audit_head"] in {line["digest"] for line in audit.lines(store.database)}
    assert [line["event"] for line in audit.lines(store.database, "done")][-1] == "exported"
    verify_export(out, certificate_of(key))
    other = certificate_of(ec.generate_private_key(ec.SECP384R1()))
    with pytest.raises(CoordinatorError, match="C312 the export is not signed by this coordinator"):
        verify_export(out, other)
    (out / "statement.json").write_text((out / "statement.json").read_text().replace("24", "25"))
    with pytest.raises(CoordinatorError, match=r"C312 the export is not as it was signed: statement.json"):
        verify_export(out, certificate_of(key))


def test_privacy_that_the_configuration_cannot_have_is_refused_before_a_run_is_stored(
    command: Command, store: RunStore, tmp_path: Path
) -> None:
    config = tmp_path / "run.toml"
    config.write_text('preset = "private-tiny"\n[federation]\nstrategy = "fedprox"\n')
    before = [row.run for row in store.rows()]
    said = refused(command("launch", str(config), "--superlink", "127.0.0.1:9"))
    assert "where: federation.strategy" in said
    assert [row.run for row in store.rows()] == before
