"""Writing kits: each is compared with what lies there already, and one that would not change is not touched.

That is what makes a renewal one site's business: the others' kits are the same bytes, old manifest included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from deploy.authority.authority import Authority
from deploy.folders import FolderChange
from deploy.kits import layout
from deploy.kits.archive import write_archive
from deploy.kits.contents import kit_files
from deploy.kits.layout import KitFolder, read_kit
from deploy.kits.manifest import Manifest, differences, read_manifest, signed_manifest
from deploy.pki.certificates import Signer
from shared_model.errors import DataError


@dataclass(frozen=True)
class Plan:
    """A kit that must be written. existing: what lies there, None where nothing does."""

    name: str
    folder: Path
    files: Mapping[str, bytes]
    keys: Mapping[str, bytes]
    existing: KitFolder | None


def require_free(authority: Authority, out: Path, names: list[str]) -> None:
    """Raise DataError where a kit's folder holds something else. Checked before anything is signed."""
    for name in names:
        _existing(authority, out / name, name)


def plan_kits(
    authority: Authority,
    signer: Signer,
    out: Path,
    names: list[str],
    keys: Mapping[str, Mapping[str, bytes]],
    now: datetime,
) -> list[Plan]:
    """The kits of `names` that differ from what lies in `out`, signed. keys: new private keys, by member."""
    plans = []
    register = authority.register
    for name in names:
        existing = _existing(authority, out / name, name)
        files = kit_files(register, authority.certificate, name)
        if existing is not None and not keys.get(name) and _holds(existing, files):
            continue
        register.number += 1
        files |= signed_manifest(signer, register.federation.name, name, register.number, files, now)
        plans.append(Plan(name, out / name, files, keys.get(name, {}), existing))
    return plans


def write_kits(authority: Authority, plans: list[Plan], *, archive: bool) -> None:
    """Save the authority's register and write the kits, with archive a .tar.gz beside each. Raises RunError.

    Whatever can fail, a full disk above all, fails before the register counts anything as signed.
    """
    changes = [_change(plan) for plan in plans]
    try:
        for change in changes:
            change.prepare()
        authority.save()
    except BaseException:
        for change in changes:
            change.discard()
        raise
    for change in changes:
        change.commit()
    for plan in plans if archive else []:
        held = read_kit(plan.folder)
        keys = {name: key for name, key in held.keys.items() if not name.startswith(layout.PENDING)}
        write_archive(plan.folder.with_name(f"{plan.name}.tar.gz"), plan.name, {**held.files, **keys})


def _change(plan: Plan) -> FolderChange:
    gone = sorted(set(plan.existing.files) - set(plan.files)) if plan.existing else []
    return FolderChange(plan.folder, {**plan.files, **plan.keys}, last=layout.SIGNATURE, remove=gone)


def _holds(existing: KitFolder, files: Mapping[str, bytes]) -> bool:
    """Whether the kit that lies there is whole and holds exactly `files`."""
    try:
        manifest, _ = read_manifest(existing.files, "")
    except DataError:
        return False
    signed = {path: content for path, content in existing.files.items() if path in manifest.files}
    return signed == files and not differences(manifest, existing.files)


def _existing(authority: Authority, folder: Path, name: str) -> KitFolder | None:
    """The member's kit in `folder`, None where there is none. Raises DataError where there is something else."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return None
    taken = "choose another folder with --out, or move what lies there"
    try:
        kit = read_kit(folder)
        # Read without its signature: a damaged kit is written anew, but only one of this authority and member.
        manifest = Manifest.model_validate_json(kit.files.get(layout.MANIFEST, b""))
    except (DataError, ValueError):
        raise DataError("the folder for a kit holds something else", where=str(folder), fix=taken) from None
    if manifest.authority != authority.fingerprint or manifest.name != name:
        raise DataError(
            f"the folder holds a kit of another federation or member ({manifest.name} of {manifest.federation})",
            where=str(folder),
            fix=taken,
        )
    return kit
