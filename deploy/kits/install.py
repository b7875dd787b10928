"""A newer kit over an older one, as a whole, keys kept: what a site or the coordinator does with what it was sent.

Only a kit of the same authority and member that is not older is taken, and only where the keys fit its certificate, so
that an operator who installs the wrong file is told so and keeps a kit that works.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from deploy.federation import COORDINATOR
from deploy.folders import FolderChange
from deploy.kits import layout
from deploy.kits.archive import read_archive
from deploy.kits.layout import KitFolder, read_kit
from deploy.kits.manifest import Manifest, differences, read_manifest, require_whole
from deploy.pki.certificates import fingerprint
from deploy.pki.keys import PublicKey, key_sha256, p384, read_node_key, read_private
from deploy.pki.reading import read_certificate, require_time
from shared_model.errors import DataError

_RIGHT = "install the kit that was made for this one"


@dataclass(frozen=True)
class Installed:
    """What was installed. changed: False where this very kit lay there already."""

    manifest: Manifest
    authority: str
    changed: bool


def install(source: Path, folder: Path, now: datetime) -> Installed:
    """Install the kit `source` (a folder or .tar.gz) into `folder`. Raises DataError and changes nothing."""
    newer = read_kit(source) if source.is_dir() else read_archive(source)
    manifest, authority = read_manifest(newer.files, str(source))
    require_whole(manifest, newer.files, str(source))
    existing = read_kit(folder) if folder.is_dir() and any(folder.iterdir()) else None
    if existing is not None:
        installed = _installed(existing, fingerprint(authority), manifest)
        same = installed == manifest and not differences(manifest, existing.files)
        if same and not _moves(_chosen(newer, existing, manifest, now)):
            return Installed(manifest, fingerprint(authority), changed=False)
    chosen = _chosen(newer, existing, manifest, now)
    new_keys = {place: newer.keys[origin] for place, (holder, origin) in chosen.items() if holder is newer}
    gone: list[str] = []
    if existing is not None:
        gone = sorted(set(existing.files) - set(newer.files))
        if new_keys or _moves(chosen):
            gone += sorted(set(existing.keys) - set(chosen) - set(_moves(chosen)))
    change = FolderChange(
        folder, {**newer.files, **new_keys}, last=layout.SIGNATURE, move=_moves(chosen), remove=gone
    )
    change.prepare()
    change.commit()
    return Installed(manifest, fingerprint(authority), changed=True)


Chosen = dict[str, tuple[KitFolder, str]]
"""Place of a key in the kit -> where it comes from."""


def _moves(chosen: Chosen) -> dict[str, str]:
    """Pending keys that their certificate has come for: from -> to.

    The certificate's own key goes last: while it is pending, an interrupted installation knows that the others are too.
    """
    pending = [(origin, place) for place, (_, origin) in chosen.items() if origin.startswith(layout.PENDING)]
    return dict(reversed(pending))


def _installed(existing: KitFolder, authority: str, newer: Manifest) -> Manifest:
    """The manifest of the kit that lies there. Raises DataError where `newer` is not for it."""
    where = str(existing.folder)
    try:
        held = Manifest.model_validate_json(existing.files.get(layout.MANIFEST, b""))
        known = fingerprint(read_certificate(existing.files.get(layout.AUTHORITY, b""), where))
    except ValueError:
        raise DataError(
            "the kit that lies there is damaged",
            where=where,
            fix="move it away and install into a new folder",
        ) from None
    if authority != known:
        raise DataError(
            f"this is a kit for another federation: {newer.federation} with another authority",
            where=where,
            fix=f"{_RIGHT}; a new federation's kit goes into a folder of its own",
        )
    if newer.name != held.name:
        raise DataError(
            f"this is {newer.name}'s kit, and the one here is {held.name}'s", where=where, fix=_RIGHT
        )
    if newer.number < held.number:
        raise DataError(
            f"this kit (number {newer.number}) is older than the one that is installed ({held.number})",
            where=where,
            fix="keep the installed one, or ask for a newer one",
        )
    return held


def _chosen(newer: KitFolder, existing: KitFolder | None, manifest: Manifest, now: datetime) -> Chosen:
    """Which private keys fit the newer kit. Raises DataError where none does."""
    chosen: Chosen = {}
    for file, public in _wanted(newer, manifest, now):
        place = f"{layout.KEYS}/{file}"
        for holder, origin in _candidates(newer, existing, file):
            key = read_private(holder.keys[origin], str(holder.folder / origin))
            if key_sha256(key.public_key()) == key_sha256(public):
                chosen[place] = (holder, origin)
                break
        else:
            raise DataError(
                "the private key that this kit's certificate is for is neither in it nor here",
                where=place,
                fix="install it on the machine where the request was made, or make new keys: "
                "fedfundus-provision request KIT --new-keys",
            )
    if own := chosen.get(f"{layout.KEYS}/{layout.own_key(manifest.name)}"):
        _add_loopback(chosen, own, [existing, newer])
    return chosen


def _add_loopback(chosen: Chosen, own: tuple[KitFolder, str], others: list[KitFolder | None]) -> None:
    """What two processes of this machine speak TLS with comes from where the certificate's key comes from.

    Or lies in its place already, after an interruption.
    """
    holder, origin = own
    beside = origin.rpartition("/")[0]
    for file in layout.LOOPBACK:
        for source, place in [(holder, f"{beside}/{file}"), *((o, f"{layout.KEYS}/{file}") for o in others)]:
            if source is not None and place in source.keys:
                chosen[f"{layout.KEYS}/{file}"] = (source, place)
                break


def _wanted(newer: KitFolder, manifest: Manifest, now: datetime) -> Iterator[tuple[str, PublicKey]]:
    where = layout.own_certificate(manifest.name)
    if where not in newer.files:
        return
    certificate: x509.Certificate = read_certificate(newer.files[where], where)
    require_time(certificate, now, where, "ask for a renewal; this kit is too old")
    yield layout.own_key(manifest.name), p384(certificate.public_key(), where)
    if manifest.name != COORDINATOR:
        line = newer.files.get(layout.NODE_PUBLIC, b"").decode("ascii", "replace")
        yield layout.NODE_KEY, read_node_key(line, layout.NODE_PUBLIC)


def _candidates(newer: KitFolder, existing: KitFolder | None, file: str) -> Iterator[tuple[KitFolder, str]]:
    """Where a key may lie, the installed ones first: they need no move."""
    holders: list[tuple[KitFolder | None, str]] = [
        (existing, layout.KEYS),
        (existing, layout.PENDING),
        (newer, layout.KEYS),
    ]
    for holder, place in holders:
        keys: Mapping[str, bytes] = holder.keys if holder else {}
        if holder is not None and f"{place}/{file}" in keys:
            yield holder, f"{place}/{file}"
