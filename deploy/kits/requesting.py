"""At the site: private keys are made inside the kit, and a request for them is written that holds no secret.

They wait in keys/pending/ until `install` brings their certificate, so that a site that works goes on working with the
keys it has. Asked again, the same pending keys are used: two requests on their way would else not both fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from deploy.federation import COORDINATOR
from deploy.folders import FolderChange
from deploy.kits import layout
from deploy.kits.layout import KitFolder, read_kit
from deploy.kits.manifest import read_manifest, require_whole
from deploy.pki.certificates import fingerprint
from deploy.pki.keys import PrivateKey, new_key, private_openssh, private_pem, read_private, require_private
from deploy.pki.reading import require_time
from deploy.pki.requests import checked, make_request, to_bytes
from shared_model.errors import DataError
from shared_model.files import write_bytes


@dataclass(frozen=True)
class Asked:
    """What was written. fingerprint: to be read out over the telephone."""

    name: str
    federation: str
    file: Path
    fingerprint: str
    made: bool


def request_certificate(folder: Path, out: Path | None, now: datetime, *, new_keys: bool = False) -> Asked:
    """Make the kit's keys where it has none (or with new_keys) and write the request for them to `out`.

    Raises DataError for a kit that is not whole, and for one that has its keys and is asked for no others.
    """
    kit = read_kit(folder)
    manifest, authority = read_manifest(kit.files, str(folder))
    require_whole(manifest, kit.files, str(folder))
    require_time(authority, now, layout.AUTHORITY, "a new federation is needed")
    names = layout.key_names(manifest.name)
    pending = all(f"{layout.PENDING}/{name}" in kit.keys for name in names)
    if not pending and not new_keys and layout.own_certificate(manifest.name) in kit.files:
        raise DataError(
            "this kit has its certificate: there is nothing to ask for",
            where=str(folder),
            fix="a renewal needs no request (fedfundus-provision renew, where the authority is); "
            "to replace the keys: --new-keys",
        )
    keys = _pending_keys(kit, names) if pending else _make_keys(folder, manifest.name, names)
    request = make_request(
        manifest.federation,
        fingerprint(authority),
        manifest.name,
        keys[layout.own_key(manifest.name)],
        keys.get(layout.NODE_KEY),
    )
    file = out or folder.resolve().parent / f"{manifest.name}.request.json"  # the kit holds nothing else
    write_bytes(file, to_bytes(request))
    return Asked(
        manifest.name, manifest.federation, file, checked(request, str(file)).fingerprint, made=not pending
    )


def _make_keys(folder: Path, member: str, names: tuple[str, ...]) -> dict[str, PrivateKey]:
    keys = {name: new_key() for name in names}
    files = {
        f"{layout.PENDING}/{name}": private_openssh(key) if name == layout.NODE_KEY else private_pem(key)
        for name, key in keys.items()
    }
    change = FolderChange(folder, files, last=f"{layout.PENDING}/{layout.own_key(member)}")
    change.prepare()
    change.commit()
    return keys


def _pending_keys(kit: KitFolder, names: tuple[str, ...]) -> dict[str, PrivateKey]:
    keys = {}
    for name in names:
        path = kit.folder / layout.PENDING / name
        require_private(path)
        keys[name] = read_private(kit.keys[f"{layout.PENDING}/{name}"], str(path))
    return keys


def kit_keys(member: str) -> tuple[dict[str, bytes], PrivateKey, PrivateKey | None]:
    """Keys that are made by the authority and travel in the kit: their files, the certificate's and the node's."""
    key = new_key()
    files = {f"{layout.KEYS}/{layout.own_key(member)}": private_pem(key)}
    if member == COORDINATOR:
        return files, key, None
    node = new_key()
    files[f"{layout.KEYS}/{layout.NODE_KEY}"] = private_openssh(node)
    return files, key, node
