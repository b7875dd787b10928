"""SuperLink knows the kit's nodes and no others, whatever was interrupted on the way; a real one is told."""

from __future__ import annotations

import fcntl
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from deploy.authority.authority import Authority
from deploy.federation import parse_federation
from deploy.provision import Workplace, new_federation
from deploy.rehearsal.networks import free_ports
from deploy.services.services import Services
from server.cli import main
from server.errors import CoordinatorError
from server.kit import read_kit
from server.services import control as control_module
from server.services import registering
from server.services.control import Control, Known, control
from server.services.nodes import keep_left, keep_told, left_nodes, site_of_key, site_of_node, told_nodes
from server.services.registering import pending_nodes, register_nodes, unregister_left
from server.services.services import DATABASE, _superlink, register
from server.services.standing import keep_kit, lines, standing

SITES = ("moema", "santos")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("north")
    front, superlink = free_ports(2)
    text = (
        f"name: north\ncoordinator: {{hosts: [127.0.0.1], port: {front}, superlink_port: {superlink}}}\n"
        f"sites: [{', '.join(f'{{name: {name}}}' for name in SITES)}]\n"
    )
    described = parse_federation(text.encode(), "federation.yaml")
    now = datetime.now(UTC).replace(microsecond=0)
    authority, signer = Authority.create(folder / "authority", described, None, now)
    new_federation(Workplace(authority, signer, folder / "kits", now), described)
    return folder / "kits" / "coordinator"


@pytest.fixture(scope="module")
def services(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """A SuperLink that runs."""
    found = Services(tmp_path_factory.mktemp("store") / "services")
    found.start([_superlink(made, found)])
    yield found
    found.stop(["superlink"])


@pytest.fixture
def kit(made: Path, tmp_path: Path) -> Path:
    """With two nodes that SuperLink has never seen."""
    kit = Path(shutil.copytree(made, tmp_path / "kit"))
    for name in SITES:
        add(kit, name)
    return kit


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Of a SuperLink that something else has started: its state is there, and no record of a process."""
    found = tmp_path / "store"
    (found / "services").mkdir(parents=True)
    (found / "services" / DATABASE).touch()
    return found


def add(kit: Path, name: str) -> str:
    public = ec.generate_private_key(ec.SECP384R1()).public_key()
    line = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode("ascii") + f" {name}"
    (kit / "nodes" / f"{name}.pub").write_text(line + "\n")
    return line


def statuses(kit: Path) -> dict[str, str]:
    """Number -> status, as SuperLink says."""
    with control(read_kit(kit).superlink) as flower:
        return {node.number: node.status for node in flower.nodes().values()}


def test_nodes_of_the_kit_are_registered_and_those_that_left_it_are_not(
    services: Services, kit: Path, tmp_path: Path
) -> None:
    register_nodes(kit, tmp_path)
    names = site_of_node(tmp_path)
    assert sorted(names.values()) == ["moema", "santos"]
    assert {statuses(kit)[number] for number in names} == {"registered"}
    (kit / "nodes/santos.pub").unlink()
    register_nodes(kit, tmp_path)
    assert list(site_of_node(tmp_path).values()) == ["moema"]
    left = next(number for number, name in names.items() if name == "santos")
    assert statuses(kit)[left] == "unregistered"
    assert pending_nodes(tmp_path) == []


def test_what_was_registered_before_an_interruption_has_its_number_afterwards(
    services: Services, kit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell, said = Control.register, list[str]()

    def once(self: Control, key: str, known: dict[bytes, Known]) -> str | None:
        if said:
            raise KeyboardInterrupt
        said.append(key)
        return tell(self, key, known)

    monkeypatch.setattr(Control, "register", once)
    with pytest.raises(KeyboardInterrupt):
        register_nodes(kit, tmp_path)
    assert list(site_of_node(tmp_path).values()) == ["moema"]  # written down as soon as it was told
    monkeypatch.undo()
    register_nodes(kit, tmp_path)
    before = told_nodes(tmp_path)
    keep_told(tmp_path, {})  # as if it had been killed before anything was written
    register_nodes(kit, tmp_path)
    assert told_nodes(tmp_path) == before
    keep_told(tmp_path, dict.fromkeys(before, ""))  # as an earlier release wrote of those it found registered
    register_nodes(kit, tmp_path)
    assert told_nodes(tmp_path) == before


def test_a_node_that_could_not_be_unregistered_stays_pending_until_status_has_done_it(
    services: Services, kit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = services.folder.parent
    register_nodes(kit, services.folder)
    number = next(number for number, name in site_of_node(services.folder).items() if name == "moema")
    (kit / "nodes/moema.pub").unlink()
    monkeypatch.setattr(Control, "unregister", lambda *_: False)
    register_nodes(kit, services.folder)
    assert "still knows the node of moema" in pending_nodes(services.folder)[0]
    assert site_of_node(services.folder)[number] == "moema"  # it may not call itself anything else meanwhile
    keep_kit(services.folder, kit)
    assert any(line.startswith("pending: ") for line in lines(standing(store)))
    monkeypatch.undo()
    assert standing(store)["pending"] == []
    assert statuses(kit)[number] == "unregistered"
    assert number not in site_of_node(services.folder)


def test_status_unregisters_nothing_that_no_start_has_decided(
    services: Services, kit: Path, tmp_path: Path
) -> None:
    register_nodes(kit, tmp_path)
    shutil.rmtree(kit / "nodes")  # as while a kit is being moved
    unregister_left(kit, tmp_path)
    assert {statuses(kit)[number] for number in site_of_node(tmp_path)} == {"registered"}
    assert left_nodes(tmp_path) == []


def test_a_key_that_superlink_will_never_take_keeps_no_other_site_out(
    services: Services, kit: Path, tmp_path: Path
) -> None:
    (kit / "nodes/santos.pub").unlink()
    register_nodes(kit, tmp_path)
    line = (kit / "nodes/moema.pub").read_text()
    (kit / "nodes/moema.pub").unlink()
    register_nodes(kit, tmp_path)
    (kit / "nodes/moema.pub").write_text(line)
    add(kit, "santos")
    register_nodes(kit, tmp_path)
    assert list(site_of_node(tmp_path).values()) == ["santos"]  # although moema came before it
    (sentence,) = pending_nodes(tmp_path)
    assert "the node key of moema, which was unregistered once" in sentence
    assert "request KIT --new-keys" in sentence
    assert "renew moema --new-keys" in sentence
    add(kit, "moema")  # the newer kit
    register_nodes(kit, tmp_path)
    assert sorted(site_of_node(tmp_path).values()) == ["moema", "santos"]
    assert pending_nodes(tmp_path) == []


def test_what_is_pending_is_a_notice_of_nodes_which_would_end_superlink_otherwise(
    services: Services,
    made: Path,
    store: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """As in fedfundus-superlink.service, whose ExecStartPost it is."""

    def nodes() -> tuple[int, str]:
        line = ["fedfundus-coordinator", "nodes", "--kit", str(made), "--store", str(store)]
        monkeypatch.setattr(sys, "argv", line)
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), capfd.readouterr().err

    assert nodes() == (0, "")
    told = told_nodes(store / "services")
    moema = next(key for key in told if site_of_key(key) == "moema")
    with control(read_kit(made).superlink) as flower:
        assert flower.unregister(moema, flower.nodes())  # by hand, as with Flower's own command
    keep_told(store / "services", {key: told[key] for key in told if key != moema})
    keep_left(store / "services", [])
    code, said = nodes()
    assert code == 0
    assert "notice: SuperLink does not take the node key of moema" in " ".join(said.split())
    told["ecdsa-sha2-nistp384 x away"] = "7"
    keep_told(store / "services", told)
    monkeypatch.setattr(Control, "unregister", lambda *_: False)
    code, said = nodes()
    assert code == 0
    assert "notice: SuperLink still knows the node of away" in " ".join(said.split())


def test_status_tells_a_superlink_of_the_service_manager_what_is_pending(
    services: Services, made: Path, kit: Path, store: Path
) -> None:
    register(made, store, patience=5.0)  # `nodes`; nothing was started with this store
    register_nodes(kit, store / "services")  # a kit that `start` would not take: its nodes are ours
    gone = next(key for key in told_nodes(store / "services") if site_of_key(key) == "moema")
    number = told_nodes(store / "services")[gone]
    keep_left(store / "services", [gone])
    found = standing(store)
    assert (found["processes"]["superlink"], found["answers"]) == (None, {"superlink": True, "front": False})
    assert found["certificate"]["problem"] == ""
    assert found["pending"] == []
    assert statuses(kit)[number] == "unregistered"
    assert lines(found)[0] == "processes: superlink answers, a service manager's, front DOES NOT RUN"


def test_status_waits_neither_for_a_superlink_that_hangs_nor_for_another_command(
    kit: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registering, "LOOK_SECONDS", 0.5)
    folder = store / "services"
    keep_kit(folder, kit)
    keep_left(folder, [(kit / "nodes/moema.pub").read_text().strip()])
    with socket.create_server(("127.0.0.1", 0)) as hangs:  # it takes connections, and says nothing
        text, address = (kit / "kit.toml").read_text(), read_kit(kit).superlink.address
        (kit / "kit.toml").write_text(text.replace(address, f"127.0.0.1:{hangs.getsockname()[1]}"))
        begun = time.monotonic()
        assert len(standing(store)["pending"]) == 1
        assert time.monotonic() - begun < 10  # Flower's client alone would give it half a minute, four times
    with (folder / "nodes.lock").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(CoordinatorError, match="another command"):
            unregister_left(kit, folder)
        assert len(standing(store)["pending"]) == 1


def test_a_superlink_that_does_not_answer_is_told_with_its_address(
    kit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_module, "SECONDS", 0.0)
    text = (kit / "kit.toml").read_text()
    address = read_kit(kit).superlink.address
    (kit / "kit.toml").write_text(text.replace(address, "127.0.0.1:1"))
    with pytest.raises(CoordinatorError, match="C401"):
        register_nodes(kit, tmp_path)
    keep_left(tmp_path, ["ecdsa x moema"])
    with pytest.raises(CoordinatorError, match="C401"):
        unregister_left(kit, tmp_path)


def test_the_command_line_of_flower_lists_the_same_nodes(
    services: Services, kit: Path, tmp_path: Path
) -> None:
    """Our question and Flower's own command see the same thing: the release is the one that was read."""
    from server.submitting import write_connection

    register_nodes(kit, tmp_path)
    write_connection(tmp_path / "flower", read_kit(kit).superlink)
    done = subprocess.run(
        [sys.executable, "-m", "flwr.cli.app", "supernode", "list", "coordinator", "--format", "json"],
        env={"FLWR_HOME": str(tmp_path / "flower"), "PATH": "/usr/bin:/bin", "FLWR_TELEMETRY_ENABLED": "0"},
        cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert all(number in done.stdout for number in site_of_node(tmp_path))
