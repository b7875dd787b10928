"""What the authority has signed, for whom, and what of it is revoked: one file, replaced as a whole.

Kits are made from it alone, so that a kit that was handed over and deleted here can be written again, and so that a
certificate can be renewed without the private key it is for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from cryptography import x509
from pydantic import BaseModel, ConfigDict, ValidationError

from deploy.federation import COORDINATOR, Federation
from deploy.pki.keys import public_openssh, read_node_key
from deploy.pki.reading import pem, read_certificate
from shared_model.errors import DataError
from shared_model.files import write_bytes


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_assignment=True)


class Issued(_Part):
    """One certificate."""

    member: str
    certificate: str  # PEM
    revoked: datetime | None = None


class Member(_Part):
    """A site or the coordinator."""

    current: str | None = None  # serial number of its certificate, hexadecimal; None: waiting, or revoked
    node_key: str | None = None  # one OpenSSH line
    revoked: datetime | None = None


class Register(_Part):
    """Everything that kits are made from."""

    format: int = 1
    federation: Federation
    number: int = 0  # of the newest kit; kits are ordered by it
    members: dict[str, Member] = {}
    issued: dict[str, Issued] = {}  # by serial number, hexadecimal
    revoked_number: int = 0
    revoked: str = ""  # PEM: for the coordinator's front
    revoked_for_sites: str = ""  # PEM: changes only when a certificate of the coordinator is revoked

    def names(self) -> list[str]:
        """The coordinator and the sites, in the federation's order."""
        return [COORDINATOR, *(site.name for site in self.federation.sites)]

    def certificate(self, name: str) -> x509.Certificate | None:
        """The member's current certificate, None while it waits for one."""
        serial = self.members[name].current
        return read_certificate(self.issued[serial].certificate.encode(), "register.json") if serial else None

    def accept(self, name: str, certificate: x509.Certificate, node_key: str | None) -> None:
        """Make `certificate` (and, for a site, `node_key`) the member's current one."""
        serial = f"{certificate.serial_number:x}"
        self.issued[serial] = Issued(member=name, certificate=pem(certificate).decode("ascii"))
        self.members[name] = Member(current=serial, node_key=node_key)

    def unrevoked(self, name: str) -> list[Issued]:
        """Every certificate of the member that was not revoked, expired ones too."""
        return [issued for issued in self.issued.values() if issued.member == name and not issued.revoked]

    def revoked_serials(self) -> Iterator[tuple[int, datetime]]:
        """What the list of revoked certificates says."""
        for serial, issued in self.issued.items():
            if issued.revoked:
                yield int(serial, 16), issued.revoked

    def node_line(self, name: str) -> str | None:
        """The member's node key as one OpenSSH line that names it."""
        line = self.members[name].node_key
        return public_openssh(read_node_key(line, "register.json"), name) if line else None


def save_register(register: Register, path: Path) -> None:
    """Replace the register, or leave it as it was."""
    write_bytes(path, register_bytes(register))


def register_bytes(register: Register) -> bytes:
    """The register as it is written."""
    return (json.dumps(register.model_dump(mode="json"), indent=1) + "\n").encode("utf-8")


def load_register(path: Path) -> Register:
    """The register of an authority. Raises DataError where there is none or it is damaged."""
    try:
        return Register.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise DataError(
            "here is no authority",
            where=str(path.parent),
            fix="give its folder with --authority, or make one: fedfundus-provision new federation.yaml --out kits/",
        ) from None
    except OSError as error:
        raise DataError(
            f"the authority's register cannot be read ({error.strerror})",
            where=str(path),
            fix="read it as its owner",
        ) from None
    except ValidationError:
        raise DataError(
            "the authority's register is damaged", where=str(path), fix="take the folder back from its backup"
        ) from None
