"""Telling SuperLink the nodes of the kit, and no others: Flower's own command does the talking.

What was told is written down beside SuperLink's own state, so that a start anew tells only what has changed. A node
that left the kit is refused by the front already, and is unregistered here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from server.errors import Code, CoordinatorError
from server.kit import read_kit
from server.services.nodes import keep_told, told_nodes
from server.submitting import write_connection
from shared_model.offline import SETTINGS

SECONDS = 120.0
_AT_ONCE = 3
_KNOWN = "already in use"


def register_nodes(kit: Path, folder: Path) -> None:
    """Make SuperLink's nodes those of the kit. folder: for what was told.

    Raises CoordinatorError where SuperLink refuses or does not answer.
    """
    told = told_nodes(folder)
    wanted = {
        file.read_text(encoding="ascii").strip(): file for file in sorted((kit / "nodes").glob("*.pub"))
    }
    new, gone = [key for key in wanted if key not in told], [key for key in told if key not in wanted]
    if not new and not gone:
        return
    flower = _Flower(folder / "flower", read_kit(kit).superlink.address)
    write_connection(flower.home, read_kit(kit).superlink)
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        told |= dict(zip(new, threads.map(lambda key: flower.register(wanted[key]), new), strict=True))
        list(threads.map(lambda key: flower.unregister(told[key]), gone))
    kept = {key: node for key, node in told.items() if key in wanted}
    keep_told(folder, kept)


@dataclass(frozen=True)
class _Flower:
    """Flower's command line. home: where its configuration lies."""

    home: Path
    address: str

    def register(self, file: Path) -> str:
        """The node's number; "" for one that SuperLink knew before."""
        done = self._run("register", str(file), "coordinator", "--name", file.stem)
        if not done.get("success") and _KNOWN not in str(done.get("error-message")):
            raise self._refused(f"the node of {file.stem}", done)
        return str(done.get("node-id", ""))

    def unregister(self, node: str) -> None:
        if node:
            self._run("unregister", node, "coordinator")

    def _run(self, *arguments: str) -> dict[str, object]:
        command = [sys.executable, "-P", "-m", "flwr.cli.app", "supernode", *arguments, "--format", "json"]
        try:
            done = subprocess.run(
                command,
                env={**os.environ, **SETTINGS, "FLWR_HOME": str(self.home)},
                cwd=self.home,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
            answer: dict[str, object] = json.loads(done.stdout)
            return answer
        except subprocess.TimeoutExpired:
            return {"error-message": f"no answer in {SECONDS:g} seconds"}
        except ValueError:
            lines = (done.stderr or done.stdout).strip().splitlines()
            return {"error-message": lines[-1] if lines else f"flwr ended with {done.returncode}"}

    def _refused(self, what: str, answer: dict[str, object]) -> CoordinatorError:
        why = " ".join(str(answer.get("error-message", "no reason given")).split())[:300]
        return CoordinatorError(
            Code.UNREACHABLE,
            f"the SuperLink did not take {what}: {why}",
            where=self.address,
            fix="see its log (services/superlink.log in the store), then start again",
        )
