"""The whole of it with real processes: provisioned, trained, exported, and what is refused while it runs.

One federation for all of it, by the commands that people give. Where root may make network namespaces each machine has
one of its own; elsewhere they share loopback, and what only namespaces can show is skipped.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from delivered_code import ASKER, DELIVERED, THIEF
from kit_makers import FEDERATION, make
from site_requests import heartbeat, node_key_shown

from deploy.authority.authority import Authority
from deploy.pki.keys import new_key, private_openssh
from deploy.pki.reading import pem, read_certificate
from deploy.rehearsal.commands import PROGRAMS
from deploy.rehearsal.comparison import compare, simulate
from deploy.rehearsal.networks import COORDINATOR, Namespaces
from deploy.rehearsal.rehearsal import Rehearsal
from deploy.services.nginx import nginx
from shared_model.errors import FedFundusError
from shared_model.offline import SETTINGS

try:
    nginx()
    MISSING = ""
except FedFundusError:
    MISSING = "nginx is not installed: the deployed federation was NOT tested"
pytestmark = [pytest.mark.skipif(bool(MISSING), reason=MISSING), pytest.mark.timeout(1800)]

Knock = Callable[..., str]
RUN, ROUNDS = "first", 3  # as the fixture launches it


def test_three_sites_train_and_the_model_is_the_simulations(federation: Rehearsal) -> None:
    status = federation.run_status(RUN)
    assert (status["state"], status["complete"]) == ("finished", ROUNDS), federation.log(
        "coordinator/superlink"
    )
    assert {site["site"]: site["rounds"] for site in status["sites"]} == dict.fromkeys(
        federation.plan.sites, ROUNDS
    )
    model = federation.export(RUN)
    found = compare(model, simulate(federation))
    assert found.holds, f"they differ by up to {found.difference}"
    assert found.identical


def test_an_altered_export_is_not_verified(federation: Rehearsal) -> None:
    model = federation.home(COORDINATOR) / f"model-{RUN}"
    altered = federation.home(COORDINATOR) / "altered"
    shutil.copytree(model, altered)
    weights = bytearray((altered / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (altered / "model.safetensors").write_bytes(weights)
    certificate = "kit/certificates/coordinator.pem"
    answer = federation.give(
        COORDINATOR, "fedfundus-coordinator", "verify", altered, "--certificate", certificate, accepted=(3,)
    )
    assert "C312" in answer.err


def test_a_site_is_let_in_with_its_own_certificate_and_its_own_node_key(knock: Knock) -> None:
    assert knock("moema") == "200"


def test_nobody_comes_in_without_a_certificate_of_this_authority(
    federation: Rehearsal, knock: Knock, tmp_path: Path
) -> None:
    assert knock("moema", certificate="") in ("400", "SSLError", "ConnectionResetError", "RemoteDisconnected")
    text = FEDERATION.replace("retina-test", "rehearsal")  # the same names under another authority
    other = make(tmp_path, text).out / "moema"
    refused = knock(
        "moema", certificate=str(other / "certificates/site.pem"), key=str(other / "keys/site.key")
    )
    assert refused in ("400", "SSLError", "ConnectionResetError", "RemoteDisconnected")


def test_an_expired_certificate_is_refused(federation: Rehearsal, knock: Knock, tmp_path: Path) -> None:
    """The site's own one in everything but its dates, signed by the authority itself."""
    signer = Authority.open(federation.folder / "authority").unlock(None)
    held = read_certificate((federation.home("moema") / "kit/certificates/site.pem").read_bytes(), "")
    ended = held.not_valid_before_utc - timedelta(minutes=1)
    builder = x509.CertificateBuilder().subject_name(held.subject).issuer_name(held.issuer)
    builder = builder.public_key(held.public_key()).serial_number(x509.random_serial_number())
    for extension in held.extensions:
        builder = builder.add_extension(extension.value, extension.critical)

    def dated(begins: datetime, ends: datetime) -> str:
        made = builder.not_valid_before(begins).not_valid_after(ends).sign(signer.key, hashes.SHA384())
        (tmp_path / "dated.pem").write_bytes(pem(made))
        return knock("moema", certificate=str(tmp_path / "dated.pem"))

    assert dated(held.not_valid_before_utc, held.not_valid_after_utc) == "200"
    assert dated(ended - timedelta(days=1), ended) in ("400", "SSLError")


def test_a_certificate_comes_with_its_own_node_key_alone(
    federation: Rehearsal, knock: Knock, tmp_path: Path
) -> None:
    santos = federation.home("santos") / "kit"
    assert (
        knock("moema", node_key=str(santos / "keys/node.key"), body=heartbeat(federation, "santos")) == "403"
    )
    assert knock("moema", shown=node_key_shown(federation, "santos")) == "403"
    assert knock("moema", node_key="") == "403"
    (tmp_path / "unregistered.key").write_bytes(private_openssh(new_key()))
    assert knock("moema", node_key=str(tmp_path / "unregistered.key")) == "403"


def test_superlink_itself_asks_for_a_registered_key_and_a_signed_time(
    federation: Rehearsal, knock: Knock, tmp_path: Path
) -> None:
    kit = federation.home(COORDINATOR) / "kit"
    inside = {
        "machine": COORDINATOR, "host": "127.0.0.1", "port": federation.network.superlink_port,
        "believed": str(kit / "keys/loopback.pem"), "certificate": "",
    }  # fmt: skip
    assert knock("moema", **inside) == "200"
    (tmp_path / "unregistered.key").write_bytes(private_openssh(new_key()))
    assert knock("moema", **inside, node_key=str(tmp_path / "unregistered.key")) == "401"
    assert knock("moema", **inside, body=heartbeat(federation, "santos")) == "401"
    assert knock("moema", **inside, shown=node_key_shown(federation, "santos")) == "401"


def test_a_message_that_was_caught_is_worth_nothing_later_or_to_another_site(
    federation: Rehearsal, knock: Knock
) -> None:
    assert knock("moema", age=600.0) == "401"
    santos = federation.home("santos") / "kit"
    caught = {"certificate": str(santos / "certificates/site.pem"), "key": str(santos / "keys/site.key")}
    assert knock("moema", **caught, machine="santos") == "403"


@pytest.mark.parametrize(
    "path", ["/v1/control/list-nodes", "/v1/runtime/acquire-task", "/", "/v1/fleet/../control/x"]
)
def test_control_and_runtime_do_not_exist_at_the_front(knock: Knock, path: str) -> None:
    assert knock("moema", path) == "404"


def test_from_outside_nothing_but_the_front_listens(federation: Rehearsal, knock: Knock) -> None:
    if not isinstance(federation.network, Namespaces):
        pytest.skip("needs root, to give each machine a network of its own: NOT tested")
    assert knock("moema", port=federation.network.superlink_port) == "ConnectionRefusedError"
    assert (
        knock("moema", host=federation.network.places["santos"].address, port=9443)
        == "ConnectionRefusedError"
    )


def test_a_worker_has_no_network(federation: Rehearsal) -> None:
    if not isinstance(federation.network, Namespaces):
        pytest.skip("needs root, to look into the worker's network: NOT tested")
    worker = federation.process("moema/worker")
    assert worker is not None
    shown = subprocess.run(
        ["nsenter", f"--net=/proc/{worker.pid}/ns/net", "ip", "-brief", "link"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert [line.split()[:2] for line in shown.splitlines()] == [["lo", "DOWN"]]


def test_code_that_the_coordinator_delivers_runs_at_no_site(federation: Rehearsal, tmp_path: Path) -> None:
    """Not even where its application asks every site to: the gateway answers with what is installed."""
    ran, answers, app = tmp_path / "ran", tmp_path / "answers", tmp_path / "app"
    app.mkdir()
    (app / "pyproject.toml").write_text(DELIVERED)
    (app / "thief.py").write_text(THIEF.format(ran=str(ran)))
    (app / "asker.py").write_text(ASKER.format(answers=str(answers)))
    flower = federation.records(COORDINATOR) / "flower"
    offline = [f"{name}={value}" for name, value in SETTINGS.items()]
    flwr = (PROGRAMS / "flwr", "run", app, "coordinator")
    federation.give(COORDINATOR, shutil.which("env"), f"FLWR_HOME={flower}", *offline, *flwr)
    federation.wait_for(answers.exists, "the delivered application to hear from the sites")
    told = json.loads(answers.read_text())
    assert len(told) == len(federation.plan.sites)
    assert all("has not joined the run that asks" in one for one in told), told
    assert not ran.exists()


def test_a_plan_that_nobody_approved_waits_and_the_run_can_be_stopped(federation: Rehearsal) -> None:
    federation.launch("second", "--set", "training.local_steps=1")
    plan = federation.run_status("second")["plan_sha256"]

    def waits() -> bool:
        known = federation.site_status("moema")["plans"]
        return any(one["sha256"] == plan and not one["approved"] for one in known)

    federation.wait_for(waits, "the plan to reach moema")
    waiting: dict[str, str] = {}

    def told() -> bool:
        waiting.update((federation.run_status("second")["waits_for"] or {}).get("refused", {}))
        return len(waiting) == len(federation.plan.sites)

    federation.wait_for(told, "every site's reason")
    assert all("has not approved the run plan" in waiting[site] for site in federation.plan.sites)
    federation.coordinator("stop", "second")
    assert federation.wait_for_end("second")["state"] == "stopped"
    assert federation.coordinator("status", "second", accepted=(4,)).code == 4


def test_revoked_a_site_is_refused_at_its_next_connection_and_is_told_why(
    federation: Rehearsal, knock: Knock
) -> None:
    federation.commands.give(
        None, "fedfundus-provision", "revoke", "santos", "--yes", "--authority", "authority"
    )
    assert knock("santos") == "200"  # not installed yet
    federation.install_kit(COORDINATOR)
    federation.start_process("coordinator/front")  # one that runs reads its kit again
    until = time.monotonic() + 20
    while (answer := knock("santos")) == "200" and time.monotonic() < until:
        time.sleep(0.2)
    assert answer in ("400", "SSLError")
    assert knock("moema") == "200"
    told = federation.site_status("santos")["coordinator"]["problem"]
    assert told.startswith("P402")
