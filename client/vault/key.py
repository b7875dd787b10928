"""The site key on disk: a line of text saying what it is and 32 random bytes in base64, readable by its owner only.

Without it nothing a site sealed can be read again, so it is never replaced in silence and belongs in a backup of
its own, apart from the state folder. It may lie anywhere, a systemd credential included.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import shlex
from pathlib import Path

from client.vault.vault import KEY_BYTES
from shared_model.errors import DataError
from shared_model.files import naming_disk_errors, write_bytes

HEADER = "fedfundus site key 1: keep it secret, keep a copy apart from the state folder"
_KIND = "fedfundus site key 1"


def create_key(path: Path) -> bytes:
    """Write a new random key to `path`, 0600, and return it. Raises RunError where the folder cannot be written.

    The caller makes sure that there is none yet and that nobody else makes one meanwhile.
    """
    key = secrets.token_bytes(KEY_BYTES)
    with naming_disk_errors(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_bytes(path, f"{HEADER}\n{base64.b64encode(key).decode()}\n".encode())
    return key


def load_key(path: Path) -> bytes:
    """The 32 bytes of a key file. Raises DataError where it cannot be read, is open to others or is no key."""
    try:
        mode = path.stat().st_mode
        text = path.read_bytes()[:4096]
    except OSError as error:
        raise DataError(
            f"The site key cannot be read: {os.strerror(error.errno or 0)}.",
            where=str(path),
            fix="Run as the user who owns the key, or correct [storage] key in site.toml.",
        ) from None
    if mode & 0o077 and not _is_systemd_credential(path):
        raise DataError(
            f"The site key can be read by others than its owner (mode {mode & 0o777:o}).",
            where=str(path),
            fix=f"Run: chmod 600 {shlex.quote(str(path))}",
        )
    return _parse(text, path)


def is_key(path: Path) -> bool:
    """Whether the file at path begins as a site key does."""
    try:
        with path.open("rb") as stream:
            return stream.read(len(_KIND)) == _KIND.encode()
    except OSError:
        return False


def _parse(text: bytes, path: Path) -> bytes:
    lines = text.decode("ascii", "replace").split("\n", 1)
    try:
        key = base64.b64decode(lines[1].strip(), validate=True)
    except (IndexError, ValueError, binascii.Error):
        key = b""
    if not lines[0].startswith(_KIND) or len(key) != KEY_BYTES:
        raise DataError(
            "The file given as site key is not one, or it is damaged.",
            where=str(path),
            fix="Restore it from the copy you keep apart; without the key what it sealed cannot be read.",
        )
    return key


def _is_systemd_credential(path: Path) -> bool:
    """systemd lets only the service in, by an access list that shows as group bits in the mode."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return bool(folder) and path.resolve().is_relative_to(Path(str(folder)).resolve())
