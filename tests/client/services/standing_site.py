"""A site whose processes only say what they are given: what the tests of its standing share."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from pathlib import Path
from typing import Any

from client.gateway import heartbeat
from client.services.services import NAMES, PLACES, services_of
from client.services.standing import standing
from client.site.config import load_site
from client.site.opening import open_site
from deploy.rehearsal.networks import free_ports
from deploy.services.services import Service, Services

FRONT, SUPERLINK, PROXY = free_ports(3)
FEDERATION = (
    f"name: north\ncoordinator: {{hosts: [127.0.0.1], port: {FRONT}, superlink_port: {SUPERLINK}}}\n"
    f"sites: [{{name: moema, proxy_port: {PROXY}}}]\n"
)
# Stands in for a process: says what it is given, and whatever is added to a file beside its log.
SAYS = """
import pathlib, sys, time
print(sys.argv[1], flush=True)
more, read = pathlib.Path(sys.argv[2]), 0
while True:
    if more.exists() and len(text := more.read_text()) > read:
        print(text[read:].rstrip(), flush=True)
        read = len(text)
    time.sleep(0.05)
"""
CONNECTED = "2026-11-22 13:00:00,123 INFO client.gateway.loop: connected as node 7"
REFUSED = "2026-11-22 13:00:09,123 WARNING client.gateway.activation: P402 the coordinator refuses this site"


def started(folder: Path) -> Services:
    services = services_of(load_site(folder / "site.toml"))
    services.start([said(folder, name, CONNECTED if name == "gateway" else f"{name} here") for name in NAMES])
    place = {"kit": str(folder / "kit"), "socket": str(folder / "s")}
    (services.folder / PLACES).write_text(json.dumps(place))
    return services


def said(folder: Path, name: str, words: str) -> Service:
    log = services_of(load_site(folder / "site.toml")).log(name)
    before = log.stat().st_size if log.exists() else 0
    command = (sys.executable, "-c", SAYS, words, str(folder / f"{name}.more"))
    return Service(name, command, lambda: log.stat().st_size > before)


def stands(folder: Path) -> dict[str, Any]:
    return standing(*open_site(folder / "site.toml"))


def numbers(folder: Path) -> list[str]:
    return [problem["number"] for problem in stands(folder)["problems"]]


def signs(folder: Path, age: float) -> None:
    """The gateway's last sign of life was so many seconds ago; infinite: it is not connected."""
    file = services_of(load_site(folder / "site.toml")).folder / heartbeat.NAME
    file.touch()
    last = 0.0 if age == math.inf else time.time() - age
    os.utime(file, (last, last))


def says(folder: Path, line: str) -> None:
    with (folder / "gateway.more").open("a") as stream:
        stream.write(line + "\n")
    log = services_of(load_site(folder / "site.toml")).log("gateway")
    until = time.monotonic() + 60
    while not log.read_text().endswith(line + "\n"):
        assert time.monotonic() < until
        time.sleep(0.02)


SYSTEMCTL = """#!/bin/sh
case "$4" in
fedfundus-proxy.service) echo LoadState=loaded; echo ActiveState={proxy};;
fedfundus-gateway.service) echo LoadState={loaded}; echo ActiveState={gateway};;
esac
"""
