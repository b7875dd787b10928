"""Every member of a federation at a glance: what it has, until when, and what must be done soon."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from deploy.authority.authority import Authority
from deploy.kits.contents import WARN_DAYS
from deploy.kits.findings import days_left
from deploy.pki.keys import key_sha256, read_node_key

State = Literal["valid", "expires soon", "expired", "not valid yet", "waits for its request", "revoked"]


@dataclass(frozen=True)
class Row:
    """One member. days: until its certificate expires; node_key: SHA-256 of its node's public key."""

    name: str
    state: State
    expires: datetime | None
    days: int | None
    node_key: str


@dataclass(frozen=True)
class Listing:
    """A federation. authority_days: until the authority itself expires."""

    federation: str
    authority: str
    authority_expires: datetime
    authority_days: int
    rows: tuple[Row, ...]

    @property
    def exit_code(self) -> int:
        """1 where something expires within four weeks or has, else 0."""
        soon = any(row.state in ("expires soon", "expired", "not valid yet") for row in self.rows)
        return int(soon or self.authority_days < WARN_DAYS)

    def document(self) -> dict[str, Any]:
        """For --json."""
        return {
            "federation": self.federation,
            "authority": self.authority,
            "authority_expires": self.authority_expires.isoformat(),
            "members": [
                {
                    "name": row.name,
                    "state": row.state,
                    "expires": row.expires.isoformat() if row.expires else None,
                    "days": row.days,
                    "node_key_sha256": row.node_key or None,
                }
                for row in self.rows
            ],
        }


def listing(authority: Authority, now: datetime) -> Listing:
    """Everybody in the authority's register."""
    ends = authority.certificate.not_valid_after_utc
    rows = tuple(_row(authority, name, now) for name in authority.register.names())
    return Listing(
        authority.register.federation.name, authority.fingerprint, ends, days_left(ends, now), rows
    )


def _row(authority: Authority, name: str, now: datetime) -> Row:
    member, certificate = authority.register.members[name], authority.register.certificate(name)
    if certificate is None:
        return Row(name, "revoked" if member.revoked else "waits for its request", None, None, "")
    ends = certificate.not_valid_after_utc
    days = days_left(ends, now)
    state: State = "expires soon" if days < WARN_DAYS else "valid"
    if now >= ends:
        state = "expired"
    elif now < certificate.not_valid_before_utc:
        state = "not valid yet"
    key = key_sha256(read_node_key(member.node_key, name)) if member.node_key else ""
    return Row(name, state, ends, days, key)
