"""What an operator can do while a round trains, which holds the site's lock for hours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from deployed import ROOT, make_federation, plan_of, signed_by_kit

from client.approval.store import Approvals
from client.approval.trusted import trusted_of_kit
from client.cli import main
from client.rights.exclusions import excluded
from client.services.services import services_of
from client.site.config import load_site
from client.site.contents import QUARANTINE
from client.site.state import SiteState
from deploy.rehearsal.networks import free_ports
from shared_model.config import Config

Run = Callable[..., tuple[int, str, str]]
COORDINATOR, PROXY = free_ports(2)
FEDERATION = (
    f"name: north\ncoordinator: {{hosts: [127.0.0.1], port: {COORDINATOR}}}\n"
    f"sites: [{{name: moema, proxy_port: {PROXY}}}]\n"
)
ROUND = """
import sys
from pathlib import Path
from client.site.config import load_site
from client.site.state import SiteState
config = load_site(Path(sys.argv[1]))
with SiteState.open(config.state, config.key).lock("round"):
    print("trains", flush=True)
    sys.stdin.read()
"""


class Round:
    """A process that holds the lock as a worker does while it trains."""

    def __init__(self, file: Path) -> None:
        command = [sys.executable, "-c", ROUND, str(file)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "trains\n"

    def end(self) -> None:
        self.process.communicate("")


@pytest.fixture(scope="module")
def kits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_federation(tmp_path_factory.mktemp("north"), FEDERATION)


@pytest.fixture
def site(tmp_path: Path, kits: Path) -> Path:
    shutil.copytree(kits / "moema", tmp_path / "kit")
    (tmp_path / "data").mkdir()
    file = tmp_path / "site.toml"
    file.write_text('[site]\nname = "moema"\n[data]\nfolder = "data"\n[retention]\nquarantine = 30\n')
    return file


@pytest.fixture
def state(site: Path) -> SiteState:
    config = load_site(site)
    return SiteState.open(config.state, config.key)


@pytest.fixture
def training(site: Path, state: SiteState) -> Iterator[Round]:
    found = Round(site)
    yield found
    found.end()


@pytest.fixture
def operator(site: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    def run(*given: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["fedfundus-site", *map(str, given), "--config", str(site)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capfd.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture
def too_old(state: SiteState) -> Path:
    """Rows that [retention] says are to be deleted."""
    state.write(QUARANTINE, b"row,record,column,reason\n")
    path = state.path(QUARANTINE)
    os.utime(path, (time.time() - 31 * 86_400,) * 2)
    return path


def test_what_only_looks_or_takes_back_waits_for_no_round(
    operator: Run,
    site: Path,
    state: SiteState,
    kits: Path,
    training: Round,
    too_old: Path,
    small_config: Callable[..., Config],
) -> None:
    approvals = Approvals(state)
    approvals.trust(trusted_of_kit(site.parent / "kit", "moema"))
    signed = signed_by_kit(plan_of(small_config()), kits / "coordinator")
    approvals.approve_plan(signed)
    for command, expected, words in (
        (["status", "--socket", site.parent / "none"], 3, "federation north"),  # 3: no worker serves
        (["budget"], 0, "epsilon"),
        (["audit"], 0, "plan approved"),
        (["quarantine"], 0, "row,record"),
        (["logs", "--bundle", site.parent / "help.tar.gz"], 0, "wrote "),
        (["approve", "--withdraw", signed.sha256[:16]], 0, "withdrawn"),
        (["leave"], 1, "would be taken back"),
        (["leave", "--yes"], 0, "taken back: the trust in north"),
    ):
        code, told, why = operator(*command)
        assert (command[0], code) == (command[0], expected), why
        assert words in told
        assert "Another command" not in why
    assert approvals.known_federation() is None
    assert too_old.exists()  # what is too old waits for the next chance, and stops nobody
    training.end()
    assert "deleted by [retention]" in operator("audit")[2]
    assert not too_old.exists()


def test_a_lost_gateway_is_started_again_during_a_round(
    operator: Run, site: Path, training: Round, too_old: Path
) -> None:
    services = services_of(load_site(site))
    try:
        code, told, why = operator(
            "start", "gateway", "--kit", site.parent / "kit", "--socket", site.parent / "s"
        )
        assert "gateway: started" in told, why
        assert (code, "P401" in why) == (1, True)  # there is no coordinator
        assert services.running("gateway") is not None
    finally:
        services.stop(services.known())


def test_an_exclusion_says_for_what_it_waits_and_changes_nothing_where_that_does_not_end(
    operator: Run, state: SiteState, training: Round, too_old: Path
) -> None:
    holder = f"round, process {training.process.pid}"
    for command in ("exclude", "include"):
        code, _, why = operator(command, "RGHT-1", "--wait", 0.005)
        assert code == 3
        assert f"waits up to 0.005 min for another command of this site to end ({holder})" in why
        assert f"Another command of this site is running ({holder})" in why
        assert "nothing was changed" in why
    assert excluded(state) == set()


def test_an_exclusion_is_done_when_the_round_has_ended(
    site: Path, state: SiteState, training: Round, too_old: Path
) -> None:
    command = [sys.executable, "-m", "client", "exclude", "RGHT-1", "--json", "--config", str(site)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as waiting:
        assert waiting.stderr is not None
        assert "waits up to 1 min" in waiting.stderr.readline()
        assert excluded(state) == set()
        training.end()
        told, _ = waiting.communicate(timeout=60)
    assert waiting.returncode == 1  # nobody is known under this id, and all the same:
    assert json.loads(told)["new"]
    assert excluded(state) == {state.patient("RGHT-1")}


@pytest.mark.parametrize("command", [["check"], ["describe"], ["purge", "--yes"]], ids=lambda given: given[0])
def test_what_must_be_alone_is_refused_and_told_why(
    operator: Run, training: Round, command: list[str]
) -> None:
    code, _, why = operator(*command)
    assert (code, f"is running (round, process {training.process.pid})" in why) == (3, True)
    assert "Wait until it ends" in why
