"""Handing an app to a SuperLink and waiting for what its ServerApp writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import tomli_w

from server.submitting import SuperLink
from shared_model.errors import RunError
from shared_model.files import write_text
from shared_model.offline import SETTINGS

SECONDS = 900.0


def submit(
    folder: Path, link: SuperLink, serverapp: str, clientapp: str, config: Mapping[str, str | int]
) -> None:
    """Start a run of these two apps, MODULE:NAME of installed packages. Raises RunError where it is not taken."""
    home, app = folder / "submitting", folder / "submitting" / "app"
    app.mkdir(mode=0o700, parents=True)
    security = {"root-certificates": str(link.certificates)} if link.certificates else {"insecure": True}
    connection = {"superlink": {"default": "bench", "bench": {"address": link.address, **security}}}
    write_text(home / "config.toml", tomli_w.dumps(connection))
    components = {"serverapp": serverapp, "clientapp": clientapp}
    flower = {"publisher": "fedfundus", "components": components, "config": dict(config)}
    project = {"name": "idle", "version": "1.0.0", "description": "idle rounds", "license": "Apache-2.0"}
    write_text(app / "pyproject.toml", tomli_w.dumps({"project": project, "tool": {"flwr": {"app": flower}}}))
    done = subprocess.run(
        [sys.executable, "-m", "flwr.cli.app", "run", str(app), "bench", "--format", "json"],
        env={**os.environ, **SETTINGS, "FLWR_HOME": str(home)},
        cwd=home,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    try:
        said = json.loads(done.stdout)
    except ValueError:
        said = {"error-message": (done.stderr or done.stdout)[-300:]}
    if not said.get("success"):
        why = " ".join(str(said.get("error-message")).split())
        raise RunError(f"the SuperLink did not take the run: {why[:300]}", where=link.address)


def waited(answer: Path, log: Path) -> list[float]:
    """The seconds of each round that the ServerApp wrote to `answer`. Raises RunError where none come."""
    until = time.monotonic() + SECONDS
    while not answer.exists():
        if time.monotonic() > until:
            raise RunError("the rounds did not end", where=log.name, fix="see what it says")
        time.sleep(0.2)
    found = json.loads(answer.read_text(encoding="utf-8"))
    if isinstance(found, dict):
        raise RunError(f"the rounds failed: {found.get('failed')}", where=log.name)
    return [float(seconds) for seconds in found]
