"""Where things lie in a kit: known to what writes kits, what checks them and what installs newer ones."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from deploy.federation import COORDINATOR
from deploy.pki.loopback import LOOPBACK_CERTIFICATE, LOOPBACK_KEY
from shared_model.errors import DataError

MANIFEST, SIGNATURE, SETTINGS = "manifest.json", "manifest.sig", "kit.toml"
AUTHORITY, REVOKED = "certificates/authority.pem", "certificates/revoked.pem"
NODE_PUBLIC, ROSTER = "certificates/node.pub", "roster.json"
KEYS, PENDING = "keys", "keys/pending"
NODE_KEY = "node.key"
LOOPBACK = (LOOPBACK_KEY, LOOPBACK_CERTIFICATE)
LARGEST_FILE, MOST_FILES = 4 * 2**20, 2000


def own_certificate(name: str) -> str:
    """The member's certificate."""
    return f"certificates/{'coordinator' if name == COORDINATOR else 'site'}.pem"


def own_key(name: str) -> str:
    """The file name of the certificate's key, in keys/ or keys/pending/."""
    return "coordinator.key" if name == COORDINATOR else "site.key"


def key_names(name: str) -> tuple[str, ...]:
    """The file names of what is made on the member's machine, or with its kit, and never leaves it."""
    certified = (own_key(name),) if name == COORDINATOR else (own_key(name), NODE_KEY)
    return (*certified, *LOOPBACK)


@dataclass
class KitFolder:
    """A kit as it lies on a disk. files: path in the kit to content, keys apart; odd: what has no place in one."""

    folder: Path
    files: dict[str, bytes] = field(default_factory=dict)
    keys: dict[str, bytes] = field(default_factory=dict)
    odd: list[str] = field(default_factory=list)


def read_kit(folder: Path) -> KitFolder:
    """Read a kit's files. Raises DataError where there is no kit, or a file cannot be read."""
    if not (folder / MANIFEST).is_file():
        raise DataError(
            "this is no kit, or not a whole one: it has no manifest.json",
            where=str(folder),
            fix="give the folder that was handed over; copy it again, whole (cp -a, or fedfundus-provision install)",
        )
    kit = KitFolder(folder)
    for name in _walk(folder, kit.odd):
        path = folder / name
        try:
            if path.stat().st_size > LARGEST_FILE:
                kit.odd.append(name)
                continue
            content = path.read_bytes()
        except OSError as error:
            raise DataError(
                f"a file of the kit cannot be read ({error.strerror})",
                where=str(path),
                fix="run this as the kit's owner",
            ) from None
        (kit.keys if name.startswith(f"{KEYS}/") else kit.files)[name] = content
    return kit


def _walk(folder: Path, odd: list[str]) -> list[str]:
    names: list[str] = []
    for place, folders, files in os.walk(folder):
        inner = Path(place).relative_to(folder)
        for name in list(folders):
            if (Path(place) / name).is_symlink():
                odd.append(str(inner / name))
        for name in files:
            path = Path(place) / name
            (names if path.is_file() and not path.is_symlink() else odd).append(str(inner / name))
        if len(names) > MOST_FILES:
            raise DataError(
                "this folder holds far more than a kit", where=str(folder), fix="give the kit's folder"
            )
    return sorted(names)
