"""The authority: made once, on a machine without a network, and opened with its password for whatever must be signed.

Its folder stands apart from the kits and is copied into none. One command at a time works on it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from cryptography import x509

from deploy.authority.register import Register, load_register, register_bytes, save_register
from deploy.federation import COORDINATOR, Federation
from deploy.folders import make_folder
from deploy.pki.certificates import Signer, fingerprint, new_authority
from deploy.pki.keys import (
    PublicKey,
    key_sha256,
    needs_password,
    private_openssh,
    public_openssh,
    read_private,
    require_private,
)
from deploy.pki.reading import pem, read_certificate
from shared_model.errors import DataError

KEY, CERTIFICATE, REGISTER = "authority.key", "authority.pem", "register.json"


class Authority:
    """An authority's folder, its certificate and register; the key only in what unlock() returns."""

    def __init__(
        self, folder: Path, certificate: x509.Certificate, register: Register, new_key: bytes | None = None
    ) -> None:
        self.folder = folder
        self.certificate = certificate
        self.register = register
        self._new_key = new_key  # not written yet

    @classmethod
    def open(cls, folder: Path) -> Authority:
        """The authority in `folder`. Raises DataError where there is none."""
        register = load_register(folder / REGISTER)
        return cls(folder, _read_certificate(folder), register)

    @classmethod
    def create(
        cls, folder: Path, federation: Federation, password: str | None, now: datetime
    ) -> tuple[Authority, Signer]:
        """A new authority. Nothing is written before save(). Raises DataError for a folder that is taken."""
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise DataError(
                "the folder for the authority is taken, and there is no authority in it",
                where=str(folder),
                fix="choose another with --authority, or empty it if you know what it holds",
            )
        signer = new_authority(federation, now)
        key = private_openssh(signer.key, password)
        authority = cls(folder, signer.certificate, Register(federation=federation), key)
        authority.refresh_revoked(signer, now, for_sites=True)
        return authority, signer

    @property
    def fingerprint(self) -> str:
        """Which federation this is, whatever its name."""
        return fingerprint(self.certificate)

    def is_locked(self) -> bool:
        """Whether the key asks for a password."""
        return needs_password(_read_key(self.folder))

    def unlock(self, password: str | None) -> Signer:
        """The authority with its key. Raises DataError for a wrong password or a key that others can read."""
        path = self.folder / KEY
        content = _read_key(self.folder)
        require_private(path)
        key = read_private(content, str(path), password)
        if key_sha256(key.public_key()) != key_sha256(_public(self.certificate)):
            raise DataError(
                "the authority's key and certificate do not belong together",
                where=str(path),
                fix="take the folder back from its backup",
            )
        return Signer(key, self.certificate)

    def save(self) -> None:
        """Write the register, of a new authority the whole folder: from here on, what was done counts."""
        if self._new_key is None:
            save_register(self.register, self.folder / REGISTER)
            return
        make_folder(
            self.folder,
            {
                KEY: self._new_key,
                CERTIFICATE: pem(self.certificate),
                REGISTER: register_bytes(self.register),
            },
        )
        self._new_key = None

    def issue(
        self, signer: Signer, name: str, key: PublicKey, node_key: PublicKey | None, now: datetime
    ) -> None:
        """Sign a certificate on `key` for a member and take it into the register. Raises DataError for a key in use."""
        self._require_own(name, key, node_key)
        certificate = signer.issue(key, self.register.federation, name, now)
        line = public_openssh(node_key, name) if node_key else None
        self.register.accept(name, certificate, line)

    def revoke(self, signer: Signer, name: str, now: datetime) -> int:
        """Revoke every certificate of a member and take it off the roster; returns how many certificates."""
        certificates = self.register.unrevoked(name)
        for issued in certificates:
            issued.revoked = now
        member = self.register.members[name]
        member.current, member.node_key, member.revoked = None, None, now
        self.refresh_revoked(signer, now, for_sites=name == COORDINATOR)
        return len(certificates)

    def refresh_revoked(self, signer: Signer, now: datetime, *, for_sites: bool) -> None:
        """Sign the list of revoked certificates anew."""
        register = self.register
        register.revoked_number += 1
        revoked = signer.revoked_list(register.revoked_serials(), register.revoked_number, now)
        register.revoked = pem(revoked).decode("ascii")
        if for_sites:
            register.revoked_for_sites = register.revoked

    def _require_own(self, name: str, key: PublicKey, node_key: PublicKey | None) -> None:
        for issued in self.register.issued.values():
            known = read_certificate(issued.certificate.encode(), REGISTER)
            if key_sha256(_public(known)) == key_sha256(key) and (issued.member != name or issued.revoked):
                raise DataError(
                    "this key was certified before: it is another's, or it was revoked",
                    where=f"the certificate key of {name}",
                    fix="make new keys (fedfundus-provision request --new-keys)",
                )
        for other, member in self.register.members.items():
            line = self.register.node_line(other) if member.node_key else None
            if other != name and node_key is not None and line == public_openssh(node_key, other):
                raise DataError(
                    f"this node key is {other}'s",
                    where=f"the node key of {name}",
                    fix="make new keys at the site",
                )


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other commands off the authority in `folder` meanwhile. Raises DataError where one is at work."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise DataError(
            "another command is working on this authority",
            where=str(folder),
            fix="wait for it, then try again",
        ) from None
    finally:
        os.close(handle)


def _public(certificate: x509.Certificate) -> PublicKey:
    key = certificate.public_key()
    assert isinstance(key, PublicKey)  # read_certificate and new_authority make sure of it
    return key


def _read_key(folder: Path) -> bytes:
    try:
        return (folder / KEY).read_bytes()
    except OSError as error:
        raise DataError(
            f"the authority's key cannot be read ({error.strerror})",
            where=str(folder / KEY),
            fix="bring the medium that holds it; if it is lost: docs/provisioning.md, lost keys",
        ) from None


def _read_certificate(folder: Path) -> x509.Certificate:
    path = folder / CERTIFICATE
    try:
        return read_certificate(path.read_bytes(), str(path))
    except OSError as error:
        raise DataError(
            f"the authority's certificate cannot be read ({error.strerror})",
            where=str(path),
            fix="take the folder back from its backup",
        ) from None
