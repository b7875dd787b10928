"""`fedfundus-site logs --bundle`: what may be handed to somebody who helps, and nothing else.

Of each log only first lines of our own loggers (and of nginx) are taken: what follows them, and other libraries'
lines, may hold a path or a value of a patient. Of these, lines with quotes, slashes or the like are left out rather
than guessed at, and of the others only words of our own messages stay. What was left out is counted.
"""

from __future__ import annotations

import io
import json
import os
import platform
import re
import tarfile
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from client.deployed_cli import DEFAULT_SOCKET
from client.services.logs import log_files
from client.services.own_words import PACKAGES, own_words
from client.services.services import NAMES, places, services_of, started, usable
from client.services.standing import whole
from client.site.config import SiteConfig
from client.site.opening import open_site
from shared_model.errors import ConfigError, FedFundusError
from shared_model.files import write_bytes
from shared_model.version import PACKAGE_VERSION

_LEVEL = "DEBUG|INFO|WARNING|ERROR|CRITICAL"
_OURS = re.compile(
    rf"(\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d,\d{{3}} (?:{_LEVEL}) (?:{'|'.join(PACKAGES)})(?:\.[a-z_]+)*: )(.*)"
)
_NGINX = re.compile(r"(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[[a-z]+\]) \d+#\d+: (.*?)(?:, (?:client|server): .*)?")
_POSSESSIVE = re.compile(r"(?<=[a-z])'s\b")
_PLAIN = re.compile(
    r"[\w ,;:.()+*=%!?-]*"
)  # no quotes, slashes, marks of a traceback, addresses, control characters
_TOKEN = re.compile(r"[\w.+%-]+")
_NUMBERED = re.compile(r"[CP]\d{3}")  # our errors
_LINES, _BYTES = 5000, 1 << 22  # of each log, from the end


def write_bundle(config: SiteConfig, out: Path, now: datetime) -> list[str]:
    """Write the bundle `out` (.tar.gz); sentences about what is in it. Raises ConfigError where the file exists."""
    if out.exists():
        raise ConfigError("the bundle's file exists", where=str(out), fix="name another with --bundle")
    said, files = [], {"status.json": _json(_status(config)), "versions.json": _json(_versions(now))}
    for name in NAMES:
        kept, left = redacted("\n".join(_text(file) for file in log_files(config, name)))
        files[f"{name}.log"] = "\n".join(kept) + "\n"
        said.append(f"{name}: {len(kept)} lines, {left} left out")
    write_bytes(out, _packed(files, now))
    return [f"wrote {out}: {', '.join(files)}", *said, "read it before you hand it on: tar -xOzf"]


def redacted(text: str) -> tuple[list[str], int]:
    """The lines of a log that may be shown to others, masked, and how many were left out."""
    lines = text.rstrip("\n").split("\n")[-_LINES:] if text else []
    kept = [shown for line in lines if (shown := _shown(line)) is not None]
    return kept, len(lines) - len(kept)


def mask(message: str) -> str | None:
    """A message with nothing but words of our own; None where it holds what they never do."""
    message = _POSSESSIVE.sub("", message)
    return _TOKEN.sub(lambda found: _masked(found[0]), message) if _PLAIN.fullmatch(message) else None


def _shown(line: str) -> str | None:
    found = _OURS.fullmatch(line) or _NGINX.fullmatch(line)
    message = None if found is None else mask(found[2])
    return None if found is None or message is None else f"{found[1]} {message}".replace("  ", " ")


def _masked(token: str) -> str:
    if _NUMBERED.fullmatch(token):
        return token
    if any(character.isdigit() for character in token):
        return "#"
    words = re.findall(r"[^\W\d_]+", token)
    return token if own_words().issuperset(words) else "..."


def _status(config: SiteConfig) -> dict[str, object]:
    """What `status` says, without the kit's and the socket's places; its problems masked as the logs' lines are."""
    _, state = open_site(config.file)
    place, services = places(config), services_of(config)
    running = started(config)
    document = whole(config, state, running.socket if running else DEFAULT_SOCKET)
    document["problems"] = [_problem(problem) for problem in document["problems"]]
    for name in ("certificate", "coordinator"):  # what is wrong with them is among the problems
        document.pop(name, None)
    document["processes"] = {name: services.running(name) is not None for name in NAMES}
    try:
        document["kit"] = "none" if place is None else f"until {usable(config, state, place.kit).expires}"
    except FedFundusError as error:
        document["kit"] = error.what
    return document


def _problem(problem: dict[str, str]) -> dict[str, str]:
    """Its number, and of its words what may be shown; where it lies names paths, and logs' last words."""
    return {"number": problem["number"], **{key: mask(problem[key]) or "..." for key in ("problem", "fix")}}


def _versions(now: datetime) -> dict[str, str]:
    found = {name: version(name) for name in ("flwr", "torch", "grpcio", "cryptography")}
    system = {"python": platform.python_version(), "system": f"{platform.system()} {platform.release()}"}
    return {"fedfundus": PACKAGE_VERSION, "written": now.isoformat(timespec="seconds"), **system, **found}


def _packed(files: dict[str, str], now: datetime) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in files.items():
            content = text.encode("utf-8")
            entry = tarfile.TarInfo(f"fedfundus-site/{name}")
            entry.size, entry.mtime, entry.mode = len(content), int(now.timestamp()), 0o600
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _text(file: Path) -> str:
    """Its end; a line that this cuts is no line of ours and is left out."""
    with file.open("rb") as stream:
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - _BYTES))
        return stream.read().decode("utf-8", "replace")


def _json(document: dict[str, object] | dict[str, str]) -> str:
    return json.dumps(document, indent=1) + "\n"
