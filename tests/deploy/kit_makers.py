"""Federations made in memory and on disk at any moment, for tests of provisioning."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from deploy.authority.authority import Authority
from deploy.federation import Federation, parse_federation
from deploy.kits.requesting import request_certificate
from deploy.pki.requests import Request, read_request
from deploy.provision import Workplace, approve, new_federation

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)

FEDERATION = """
name: retina-test
coordinator:
  hosts: [localhost, 127.0.0.1]
  port: 18443
sites:
  - name: moema
  - name: santos
  - name: own-keys
    keys: machine
"""


def federation(text: str = FEDERATION) -> Federation:
    return parse_federation(text.encode(), "federation.yaml")


def make(folder: Path, text: str = FEDERATION, now: datetime = NOW) -> Workplace:
    """An authority without a password in `folder`/authority and everybody's kit in `folder`/kits."""
    described = federation(text)
    authority, signer = Authority.create(folder / "authority", described, None, now)
    place = Workplace(authority, signer, folder / "kits", now)
    new_federation(place, described)
    return place


def reopened(place: Workplace, now: datetime = NOW) -> Workplace:
    """The same authority as a later command finds it."""
    authority = Authority.open(place.authority.folder)
    return Workplace(authority, authority.unlock(None), place.out, now)


def ask(kit: Path, out: Path, now: datetime = NOW, *, new_keys: bool = False) -> Request:
    """What the site of `kit` sends."""
    asked = request_certificate(kit, out, now, new_keys=new_keys)
    return read_request(asked.file.read_bytes(), str(asked.file))


def accept(place: Workplace, request: Request, *, replace: bool = False) -> None:
    approve(place, request, "request", replace=replace, agreed=lambda proven: None)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
