"""`fedfundus-site logs --bundle`: what may be handed to somebody who helps, and nothing else.

Of each log only lines of our own form are taken, and of these the first: what follows (tracebacks, places, other
libraries' words) may hold a path or a value of a patient. Names in quotes, paths, addresses and long numbers are
masked even there. What was left out is counted.
"""

from __future__ import annotations

import io
import json
import platform
import re
import tarfile
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from client.approval.status import status
from client.services.logs import log_files
from client.services.services import NAMES, places, services_of, usable
from client.site.config import SiteConfig
from client.site.opening import open_site
from shared_model.errors import ConfigError, FedFundusError
from shared_model.files import write_bytes
from shared_model.version import PACKAGE_VERSION

_OURS = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ [\w.]+: )(.*)$")
_NGINX = re.compile(r"^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[\w+\] \d+#\d+: )(.*)$")
_MASKS = (
    (re.compile(r"(['\"]).*?\1"), "'...'"),
    (re.compile(r"~?/[^\s,;:)]+"), "PATH"),
    (re.compile(r"\S+@\S+"), "ADDRESS"),
    (re.compile(r"\b\d{1,3}(\.\d{1,3}){3}\b"), "ADDRESS"),
    (re.compile(r"\b[0-9a-fA-F]{8,}\b|\d{4,}"), "#"),
)
_LINES = 5000  # of each log, from the end


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
    lines = text.splitlines()[-_LINES:]
    kept = [found[1] + mask(found[2]) for line in lines if (found := _OURS.match(line) or _NGINX.match(line))]
    return kept, len(lines) - len(kept)


def mask(message: str) -> str:
    """A message without what could name a person, a file or a machine."""
    for pattern, instead in _MASKS:
        message = pattern.sub(instead, message)
    return message


def _status(config: SiteConfig) -> dict[str, object]:
    """What `status` says, without the kit's and the socket's places."""
    _, state = open_site(config.file)
    place, services = places(config), services_of(config)
    document = status(config, state, place.socket if place else Path("worker.sock"))
    document["processes"] = {name: services.running(name) is not None for name in NAMES}
    try:
        document["kit"] = "none" if place is None else f"until {usable(config, state, place.kit).expires}"
    except FedFundusError as error:
        document["kit"] = error.what
    return document


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
    return file.read_text(encoding="utf-8", errors="replace")


def _json(document: dict[str, object] | dict[str, str]) -> str:
    return json.dumps(document, indent=1) + "\n"
