"""The folder of what a site keeps: 0700, its files 0600, written whole or not at all and sealed with the site key.

Everything a patient could be read from lies here and nowhere else (client/site/contents.py lists it), so that one
place can be backed up, excluded from, expired and purged. Simulations keep theirs plain: they hold no patients.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from client.site.contents import LOCK, SALT, Content, present
from client.site.lock import SiteBusy, SiteLock
from client.site.pseudonyms import SALT_BYTES, Pseudonyms
from client.vault import Journal, Vault, is_sealed
from client.vault.key import create_key, load_key
from shared_model.errors import DataError
from shared_model.files import naming_disk_errors, write_bytes

_PART = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*\Z", re.ASCII)
_PATIENCE = 20.0  # seconds to wait for another first command to make key and salt


class SiteState:
    """What one site keeps in `folder`. vault: seals it, or None where it is kept plain. Open it with `open`."""

    def __init__(self, folder: Path, vault: Vault | None, pseudonyms: Pseudonyms, lock: SiteLock) -> None:
        self.folder = folder
        self.vault = vault
        self._pseudonyms = pseudonyms
        self._lock = lock

    @classmethod
    def open(cls, folder: Path, key_file: Path, *, encrypt: bool = True) -> SiteState:
        """The state in `folder`; on first use the folder, the key and the salt are made.

        Raises DataError where key or salt are missing though the folder holds what needs them, where the key is
        open to others or not the one the folder was made with, and where the folder is somebody else's.
        """
        folder, key_file = Path(folder), Path(key_file)
        _claim(folder, key_file)
        lock = SiteLock(folder / LOCK)
        vault = None
        if encrypt:
            _make_once(lock, key_file, lambda: _first_key(folder, key_file))
            vault = Vault(load_key(key_file))
        _make_once(lock, folder / SALT, lambda: _first_salt(folder, vault))
        salt = _read(folder, SALT, vault)
        if salt is None or len(salt) != SALT_BYTES:
            raise DataError("The salt is damaged.", where=str(folder / SALT), fix="Restore it from a backup.")
        return cls(folder, vault, Pseudonyms(salt), lock)

    def patient(self, identifier: str) -> str:
        """The pseudonym of a patient, given by the hospital's own id: 32 hexadecimal characters."""
        return self._pseudonyms.of("patient", identifier)

    def record(self, identifier: str) -> str:
        """The pseudonym of a record (a photograph's row)."""
        return self._pseudonyms.of("record", identifier)

    def visit(self, patient: str, label: str) -> str:
        """The pseudonym of a visit, whose label is unique within the patient only."""
        return self._pseudonyms.of("visit", patient, label)

    def secret(self, purpose: str) -> bytes:
        """32 bytes that only this site can make, the same for its whole life, others for every purpose.

        They follow from the salt, which is sealed with the site key: for codes and keyed digests.
        """
        return self._pseudonyms.secret(purpose)

    def path(self, name: str) -> Path:
        """Where `name` ("excluded", "answers/one.json") lies. Raises ValueError for a name that leads elsewhere."""
        if not all(_PART.match(part) for part in name.split("/")):
            raise ValueError(f"not a name within the state folder: {name!r}")
        return self.folder / name

    def write(self, name: str, content: bytes) -> None:
        """Keep a content under a name, whole or not at all. Raises RunError where the disk refuses."""
        path = self.path(name)
        with naming_disk_errors(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_bytes(path, content if self.vault is None else self.vault.seal(content, name))

    def read(self, name: str) -> bytes | None:
        """What was kept under a name, or None. Raises DataError where it was altered or the key is another."""
        self.path(name)
        return _read(self.folder, name, self.vault)

    def remove(self, name: str) -> bool:
        """Delete what was kept under a name; whether there was anything."""
        path = self.path(name)
        with naming_disk_errors(path):
            existed = path.is_symlink() or path.exists()
            path.unlink(missing_ok=True)
        return existed

    def journal(self, name: str, *, durable: bool = False) -> Journal:
        """The journal of this name, sealed as the rest is."""
        return Journal(self.path(name), self.vault, durable=durable)

    def lock(
        self, command: str, *, wait: float = 0.0, waiting: Callable[[str], None] = lambda holder: None
    ) -> AbstractContextManager[None]:
        """`with state.lock("check"):` keeps every other command of this site out.

        wait: seconds to wait for one that runs; waiting: told which it is. Raises SiteBusy where it does not end.
        """
        return self._lock.hold(command, wait=wait, waiting=waiting)


def _read(folder: Path, name: str, vault: Vault | None) -> bytes | None:
    path = folder / name
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        why = os.strerror(error.errno or 0)
        fix = "Run as the user who owns the state folder."
        raise DataError(
            f"A file of the site's state cannot be read: {why}.", where=str(path), fix=fix
        ) from None
    if vault is not None:
        return vault.open(content, name, where=str(path))
    if is_sealed(content):
        raise DataError(
            "The site's state is sealed, and this command was told that it is not.",
            where=str(path),
            fix="Let encryption on ([storage] encrypt in site.toml).",
        )
    return content


def _claim(folder: Path, key_file: Path) -> None:
    """Make the folder, or see that it is ours, and close it to others."""
    if folder.exists() and not folder.is_dir():
        raise DataError("The state folder is not a folder.", where=str(folder), fix="Choose another place.")
    with naming_disk_errors(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        entries = {entry.name for entry in folder.iterdir()} - {LOCK}
        holds_key = key_file.parent == folder and key_file.name in entries
        if entries and not present(folder) and not holds_key:
            raise DataError(
                "The state folder already holds other things.",
                where=str(folder),
                fix="Choose an empty or a new folder for the state ([storage] state in site.toml).",
            )
        if folder.stat().st_mode & 0o077:
            folder.chmod(0o700)


def _make_once(lock: SiteLock, path: Path, make: Callable[[], None]) -> None:
    """`make` the file at path unless it is there, with every other first command of the site waiting for it."""
    waited_until = time.monotonic() + _PATIENCE
    while not path.exists():
        try:
            with lock.hold("first use"):
                if not path.exists():
                    make()
        except SiteBusy:
            if time.monotonic() > waited_until:
                raise
            time.sleep(0.05)


def _first_key(folder: Path, key_file: Path) -> None:
    held = [content for content in present(folder) if content.name != "site key"]
    if not held:
        create_key(key_file)
        return
    salt = folder / SALT
    if salt.exists() and not is_sealed(salt.read_bytes()):
        raise DataError(
            "The site's state was kept without encryption, and now should be sealed.",
            where=str(folder),
            fix="Choose a new state folder, or remove this one with `fedfundus-site purge` and begin again.",
        )
    raise DataError(
        f"The site key is missing, so what it sealed cannot be read: {_listed(held)}.",
        where=str(key_file),
        fix="Put the key back from the copy you keep apart, or correct [storage] key in site.toml. If it is lost "
        "for good, `fedfundus-site purge` removes what cannot be read; then begin again: earlier pseudonyms, "
        "exclusions, runs by patient and the privacy ledger are lost, which the coordinator must be told.",
    )


def _first_salt(folder: Path, vault: Vault | None) -> None:
    """A new salt, unless there is something that was named with the one that is missing."""
    held = [content for content in present(folder) if content.name not in ("site key", "salt")]
    if held:
        raise DataError(
            f"The salt is missing, so pseudonyms no longer fit what was kept: {_listed(held)}.",
            where=str(folder / SALT),
            fix="Restore the file from a backup; or remove everything with `fedfundus-site purge` and begin again, "
            "and exclude again every patient who was excluded.",
        )
    salt = secrets.token_bytes(SALT_BYTES)
    write_bytes(folder / SALT, salt if vault is None else vault.seal(salt, SALT))


def _listed(contents: list[Content]) -> str:
    return ", ".join(content.name for content in contents)
