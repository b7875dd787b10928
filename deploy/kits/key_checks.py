"""A kit's private keys: readable by their owner alone, and the ones that were certified."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from cryptography import x509

from deploy.kits import layout
from deploy.kits.findings import Finding, expiry
from deploy.kits.layout import KitFolder
from deploy.kits.manifest import Manifest
from deploy.pki.keys import key_sha256, read_node_key, read_private
from deploy.pki.reading import read_certificate
from shared_model.errors import DataError

_CHECK = "permissions"


def permissions(kit: KitFolder) -> Iterator[Finding]:
    """Whether anybody but the owner can read a key, and whether anything lies there that is no plain file."""
    found = [
        Finding(
            "problem", "files", "not a plain file of a kit's size", name, "remove it, or copy the kit again"
        )
        for name in kit.odd
    ]
    for name in kit.keys:
        path = kit.folder / name
        mode = path.stat().st_mode & 0o777
        if mode & 0o077:
            problem = f"others than its owner can read this key (mode {mode:04o})"
            fix = f"chmod 600 {path}; if others use this machine, take the key as lost (README.md)"
            found.append(Finding("problem", _CHECK, problem, name, fix))
    for place in [kit.folder, *(kit.folder / name for name in (layout.KEYS, layout.PENDING))]:
        if place.is_dir():
            found += _folder(place, str(place.relative_to(kit.folder)))
    yield from found or [Finding("ok", "keys readable by their owner alone")]


def _folder(place: Path, name: str) -> Iterator[Finding]:
    status = place.stat()
    if status.st_mode & 0o077:
        problem = f"others can enter this folder (mode {status.st_mode & 0o777:04o})"
        yield Finding("problem", _CHECK, problem, name, f"chmod 700 {place}")
    if status.st_uid != os.geteuid() and os.geteuid() != 0:
        fix = f"chown -R {os.geteuid()} {place}"
        yield Finding("problem", _CHECK, "the folder belongs to another user", name, fix)


def certificate_key(kit: KitFolder, manifest: Manifest) -> Iterator[Finding]:
    """Whether the key of the certificate is there and fits."""
    where = f"{layout.KEYS}/{layout.own_key(manifest.name)}"
    certificate = own_certificate(kit, manifest)
    if certificate is None:
        return  # said of the certificate
    if where not in kit.keys:
        yield _no_key("certificate key", where)
    else:
        key = read_private(kit.keys[where], where)
        yield _fits("certificate key", key.public_key() == certificate.public_key(), where)


def node_key(kit: KitFolder) -> Iterator[Finding]:
    """Whether the node's key is there and fits."""
    where = f"{layout.KEYS}/{layout.NODE_KEY}"
    if layout.NODE_PUBLIC not in kit.files:
        return  # said among the files, or of the certificate
    if where not in kit.keys:
        yield _no_key("node key", where)
    else:
        public = read_node_key(kit.files[layout.NODE_PUBLIC].decode("ascii", "replace"), layout.NODE_PUBLIC)
        key = read_private(kit.keys[where], where)
        yield _fits("node key", key_sha256(key.public_key()) == key_sha256(public), where)


def loopback(kit: KitFolder, now: datetime) -> Iterator[Finding]:
    """Whether the processes of this machine can speak TLS with each other."""
    key, certificate = (f"{layout.KEYS}/{file}" for file in layout.LOOPBACK)
    if not any(not name.startswith(layout.PENDING) for name in kit.keys):
        return  # said of the other keys, or they wait for their certificate
    for where in (key, certificate):
        if where not in kit.keys:
            yield _no_key("TLS on this machine", where)
            return
    read = read_certificate(kit.keys[certificate], certificate)
    yield _fits(
        "key for TLS on this machine", read_private(kit.keys[key], key).public_key() == read.public_key(), key
    )
    yield expiry("TLS on this machine", read, now, certificate, "make new keys (README.md)")


def _no_key(check: str, where: str) -> Finding:
    fix = "copy the kit again, with its keys; if they are lost: README.md, A key is lost"
    return Finding("problem", check, "the key is missing", where, fix)


def _fits(check: str, fits: bool, where: str) -> Finding:
    if fits:
        return Finding("ok", f"{check} fits")
    fix = "copy the kit again, whole, or make new keys: fedfundus-provision request KIT --new-keys"
    return Finding("problem", check, "the key is not the one that was certified", where, fix)


def own_certificate(kit: KitFolder, manifest: Manifest) -> x509.Certificate | None:
    """The member's certificate, None where it is absent or cannot be read."""
    content = kit.files.get(layout.own_certificate(manifest.name))
    try:
        return read_certificate(content, "") if content else None
    except DataError:
        return None
