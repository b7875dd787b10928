"""Nothing identifying in what leaves a deployed worker: every channel of a real run is searched in plaintext.

Names, ids, dates, paths and notes are planted in the data of three sites, which train over real processes. What
crosses the worker's socket and what reaches SuperLink is written down by relays on the way; logs, databases,
checkpoints and the exported model are read from the disk. Then one leak is planted in each channel and must be found.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fault_deployment import FRONT, SUPERLINK, Deployment, free_ports
from leak_search import leaks
from leak_sites import FOLDER, NAMES, SECRETS, brset
from listening_relay import Relay, tls_relay, unix_relay, without_frames

from shared_model.config import Config

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

LISTENED = "moema"
PLANTED = NAMES[0]
LOGS = (f"{SUPERLINK}.log", f"{FRONT}*", "*.gateway.log", "*.proxy.log", "*-access.log", "*-error.log")


class Listened(Deployment):
    """A federation whose gateway and front find their partners through relays that write down what passes."""

    def start_all(self) -> None:
        site, keys = self.sites[LISTENED], self.kits / "coordinator" / "keys"
        self.worker_socket, site.socket = site.socket, site.folder / "heard.sock"
        (self.relayed,) = free_ports(1)
        self.loopback = tls_relay(
            self.relayed, self.ports[SUPERLINK], keys / "loopback.pem", keys / "loopback.key"
        )
        self.socket: Relay | None = unix_relay(site.socket, self.worker_socket)
        if self.proxies:
            file = self.kits / "coordinator" / "front" / "nginx.conf"
            text = file.read_text()
            ours, theirs = (f"server 127.0.0.1:{port};" for port in (self.relayed, self.ports[SUPERLINK]))
            assert theirs in text
            file.write_text(text.replace(theirs, ours))
        super().start_all()

    def _command(self, process: str) -> list[str]:
        command = super()._command(process)
        if process == f"{LISTENED}.worker":
            command[command.index("--socket") + 1] = str(self.worker_socket)
        return (
            [
                part.replace(f"127.0.0.1:{self.ports[SUPERLINK]}", f"127.0.0.1:{self.relayed}")
                for part in command
            ]
            if (process.endswith("gateway") and not self.proxies)
            else command
        )

    def stop(self) -> None:
        super().stop()
        for relay in (self.socket, self.loopback):
            if relay is not None:
                relay.close()


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listened]:
    data = brset(tmp_path_factory.mktemp("secrets"))
    found = Listened(tmp_path_factory.mktemp("leaks"), data)
    for site in found.sites.values():  # the data's folder is called after a patient at the site as well
        (site.folder / FOLDER).mkdir()
        shutil.move(site.folder / "data", site.folder / FOLDER / "data")
        site.file.write_text(site.file.read_text().replace('folder = "data"', f'folder = "{FOLDER}/data"'))
    try:
        found.start_all()
        yield found
    finally:
        found.stop()


@pytest.fixture(scope="module")
def config(small_config: Callable[..., Config]) -> Config:
    limits = ("federation.quorum=2", "federation.grace=60", "federation.silence=600")
    return small_config("federation.rounds=2", *limits, "exchange.uplink=fp32", "federation.suspend_after=0")


@pytest.fixture(scope="module")
def run(federation: Listened, config: Config) -> str:
    federation.launch(config, "clean")
    assert federation.ended("clean").state == "finished", federation.everything("clean")
    exported = federation.coordinator(
        "export",
        "clean",
        "--out",
        str(federation.folder / "model"),
        "--kit",
        str(federation.kits / "coordinator"),
    )
    assert exported.returncode == 0, exported.stderr
    return "clean"


def rows_of(database: Path) -> bytes:
    """Every value of every table, as text and as bytes: pages on the disk may hold them in pieces."""
    found = []
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        names = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        for name in names:
            for row in connection.execute(f'SELECT * FROM "{name}"'):
                found += [value if isinstance(value, bytes) else str(value).encode() for value in row]
    return b"\n".join(found)


def files_below(folder: Path, *patterns: str) -> bytes:
    paths = sorted({path for pattern in patterns for path in folder.rglob(pattern) if path.is_file()})
    assert paths, patterns
    return b"\n".join(path.name.encode() + b"\n" + path.read_bytes() for path in paths)


def channels(federation: Listened) -> dict[str, Callable[[], bytes]]:
    """Name -> what has passed through it, or lies in it, until now."""
    top, store = federation.folder, federation.store.folder

    def socket_said() -> bytes:
        assert federation.socket is not None
        heard = [bytes(one) for one in federation.socket.answered]
        return b"\n".join([*heard, *(without_frames(one) for one in heard)])

    return {
        "the worker's socket": socket_said,
        "SuperLink's loopback side": lambda: b"\n".join(bytes(one) for one in federation.loopback.sent),
        "SuperLink's database": lambda: rows_of(top / "superlink.sqlite"),
        "the coordinator's database": lambda: rows_of(store / "runs.sqlite"),
        "logs outside of workers": lambda: files_below(top, *LOGS),
        "checkpoints and what lies beside them": lambda: files_below(store / "runs", "*"),
        "the exported model": lambda: files_below(top / "model", "*"),
    }  # fmt: skip


NAMED = ("the worker's socket", "SuperLink's loopback side", "SuperLink's database", "the coordinator's database",
         "logs outside of workers", "checkpoints and what lies beside them", "the exported model")  # fmt: skip


@pytest.mark.parametrize("channel", NAMED)
def test_no_secret_is_in_it(channel: str, federation: Listened, run: str) -> None:
    content = channels(federation)[channel]()
    assert len(content) > 100
    assert leaks(content, SECRETS) == []


def test_the_search_reads_what_was_sent(federation: Listened, run: str) -> None:
    """What sites do send is in plaintext there: otherwise nothing would ever be found."""
    found = channels(federation)
    for channel in ("the worker's socket", "SuperLink's loopback side"):
        assert b"loss_weights" in found[channel]()
    assert leaks(federation.log(f"{LISTENED}.worker") + "Zebulon", ["Zebulon"])


@pytest.fixture(scope="module")
def leaky(federation: Listened, config: Config, run: str) -> str:
    """The control run: the site says a name in a field of its update, then in an error; files get one by hand."""
    federation.launch(config, "leaky")
    with federation.misbehaving(LISTENED, "tells a name"):
        assert federation.ended("leaky").state == "finished", federation.everything("leaky")
    federation.launch(config, "complaining")
    with federation.misbehaving(LISTENED, "complains of a name"):
        assert federation.ended("complaining").state == "finished", federation.everything("complaining")
    for folder in (federation.store.folder / "runs" / run / "checkpoints", federation.folder / "model"):
        with next(path for path in folder.rglob("*.safetensors")).open("ab") as stream:
            stream.write(PLANTED.encode("utf-16-le"))
    return "leaky"


@pytest.mark.parametrize("channel", [name for name in NAMED if name != "SuperLink's database"])
def test_a_leak_in_it_is_found(channel: str, federation: Listened, leaky: str) -> None:
    """The control: the same search of the same channel."""
    assert PLANTED in {secret for secret, _ in leaks(channels(federation)[channel](), [PLANTED])}


def test_a_leak_in_superlinks_database_is_found_while_it_lies_there(federation: Listened, leaky: str) -> None:
    """SuperLink forgets messages once they were fetched: one is put where they lie."""
    database = federation.folder / "superlink.sqlite"
    copy = federation.folder / "copy.sqlite"
    with sqlite3.connect(database) as source, sqlite3.connect(copy) as target:
        source.backup(target)
        target.execute("CREATE TABLE kept (content BLOB)")
        target.execute("INSERT INTO kept VALUES (?)", (b"\x0a\x05" + PLANTED.encode(),))
    assert leaks(rows_of(copy), [PLANTED])
