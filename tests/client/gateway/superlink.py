"""A real SuperLink on loopback with TLS and node authentication, and runs of an app that delivers no code."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from deployed import PATIENCE, ROOT, wait_for

from shared_model.offline import SETTINGS

BIN = Path(sys.executable).parent
APP = """
[project]
name = "fedfundus-run"
version = "0.1.0"
description = "Runs the installed package"
license = "Apache-2.0"

[tool.flwr.app]
publisher = "fedfundus"

[tool.flwr.app.components]
serverapp = "server.app:app"
clientapp = "{clientapp}"

[tool.flwr.app.config]
run-folder = ""
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class SuperLink:
    """folder: its home. kit: the coordinator's. port: where all its APIs are served."""

    folder: Path
    kit: Path
    port: int
    process: subprocess.Popen[str] | None = None

    @property
    def environment(self) -> dict[str, str]:
        path = f"{BIN}:{os.environ['PATH']}"
        own = {"FLWR_HOME": str(self.folder / "flwr"), "PATH": path, "OMP_NUM_THREADS": "1"}
        return os.environ | SETTINGS | own | {"PYTHONPATH": str(ROOT)}

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def certificate(self) -> Path:
        return self.kit / "keys" / "loopback.pem"

    @property
    def log(self) -> str:
        return (self.folder / "superlink.log").read_text()

    def start(self) -> None:
        (self.folder / "flwr").mkdir(parents=True)
        (self.folder / "flwr" / "config.toml").write_text(
            f'[superlink]\ndefault = "local"\n[superlink.local]\naddress = "{self.address}"\n'
            f'root-certificates = "{self.certificate}"\n'
        )
        command = [
            *(str(BIN / "flower-superlink"), "--enable-supernode-auth", "--host", "127.0.0.1"),
            *("--port", str(self.port), "--ssl-ca-certfile", str(self.certificate)),
            *(
                "--ssl-certfile",
                str(self.certificate),
                "--ssl-keyfile",
                str(self.kit / "keys" / "loopback.key"),
            ),
        ]
        with (self.folder / "superlink.log").open("w") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdout=log, stderr=log, text=True
            )
        wait_for(self._listens, "the SuperLink", lambda: self.log)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(PATIENCE)

    def flwr(self, *arguments: str) -> str:
        done = subprocess.run(
            [str(BIN / "flwr"), *arguments],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def register(self, kit: Path) -> None:
        self.flwr(
            "supernode", "register", str(kit / "certificates" / "node.pub"), "local", "--name", kit.name
        )

    def run(
        self, run_folder: Path, clientapp: str = "client.gateway.app:app", files: dict[str, str] | None = None
    ) -> None:
        """Start a run of an app of these files, and wait for its end."""
        app = self.folder / f"app-{time.time_ns()}"
        app.mkdir()
        (app / "pyproject.toml").write_text(APP.format(clientapp=clientapp))
        for name, content in (files or {}).items():
            (app / name).write_text(content)
        before = self.log.count("Finished task")
        self.flwr("run", str(app), "local", "--run-config", f'run-folder="{run_folder}"')
        wait_for(lambda: self.log.count("Finished task") > before, "the run to end", lambda: self.log)

    def _listens(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log
        with socket.socket() as tried:
            return tried.connect_ex(("127.0.0.1", self.port)) == 0
