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
from deploy.pki.loopback import new_loopback
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
    member, node_key = manifest.name, None
    if pending:
        key = _pending_key(kit, layout.own_key(member))
        node_key = _pending_key(kit, layout.NODE_KEY) if member != COORDINATOR else None
    else:
        made = make_keys(member, now, authority.not_valid_after_utc)
        _save_pending(folder, member, made)
        key, node_key = made.key, made.node_key
    request = make_request(manifest.federation, fingerprint(authority), member, key, node_key)
    file = out or folder.resolve().parent / f"{manifest.name}.request.json"  # the kit holds nothing else
    write_bytes(file, to_bytes(request))
    return Asked(
        manifest.name, manifest.federation, file, checked(request, str(file)).fingerprint, made=not pending
    )


@dataclass(frozen=True)
class MadeKeys:
    """A member's private keys, with their files by name; the coordinator has no node key."""

    files: dict[str, bytes]
    key: PrivateKey
    node_key: PrivateKey | None


def make_keys(member: str, now: datetime, end: datetime) -> MadeKeys:
    """New keys for a member. end: until when its certificate for localhost is good."""
    key = new_key()
    files = {layout.own_key(member): private_pem(key), **new_loopback(now, end)}
    if member == COORDINATOR:
        return MadeKeys(files, key, None)
    node_key = new_key()
    return MadeKeys({**files, layout.NODE_KEY: private_openssh(node_key)}, key, node_key)


def _save_pending(folder: Path, member: str, keys: MadeKeys) -> None:
    files = {f"{layout.PENDING}/{name}": content for name, content in keys.files.items()}
    change = FolderChange(folder, files, last=f"{layout.PENDING}/{layout.own_key(member)}")
    change.prepare()
    change.commit()


def _pending_key(kit: KitFolder, name: str) -> PrivateKey:
    path = kit.folder / layout.PENDING / name
    require_private(path)
    return read_private(kit.keys[f"{layout.PENDING}/{name}"], str(path))
