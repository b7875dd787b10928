"""What whoever runs the authority does: a new federation, approving a request, renewing, revoking.

Each takes the authority with its key, changes the register, works out which kits differ and writes those, in this
order: everything that can be refused is refused before anything is signed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from deploy.authority.authority import Authority
from deploy.authority.register import Member
from deploy.federation import COORDINATOR, Federation
from deploy.kits import layout
from deploy.kits.requesting import make_keys
from deploy.kits.writing import plan_kits, require_free, write_kits
from deploy.pki.certificates import Signer
from deploy.pki.keys import key_sha256, p384
from deploy.pki.requests import Checked, Request, checked
from shared_model.errors import ConfigError, DataError


@dataclass
class Outcome:
    """What was done. written: the members whose kits were written; notices: what to know besides."""

    written: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    folder: Path = Path()


@dataclass(frozen=True)
class Workplace:
    """Where an operation works: the authority and its key, the folder of the kits, and the moment."""

    authority: Authority
    signer: Signer
    out: Path
    now: datetime
    archive: bool = False

    def certify_new_keys(self, name: str) -> dict[str, bytes]:
        """Make a member's keys here and certify them; returns the files for its kit."""
        made = make_keys(name, self.now, self.authority.certificate.not_valid_after_utc)
        node_key = made.node_key.public_key() if made.node_key else None
        self.authority.issue(self.signer, name, made.key.public_key(), node_key, self.now)
        return {f"{layout.KEYS}/{file}": content for file, content in made.files.items()}

    def finish(
        self, names: list[str], keys: Mapping[str, Mapping[str, bytes]], notices: list[str]
    ) -> Outcome:
        """Write the kits of `names` that differ."""
        plans = plan_kits(self.authority, self.signer, self.out, names, keys, self.now)
        write_kits(self.authority, plans, archive=self.archive)
        return Outcome([plan.name for plan in plans], notices, self.out)


def new_federation(place: Workplace, federation: Federation) -> Outcome:
    """Kits for everybody; on an authority that has made kits before, for the sites that were added.

    Raises ConfigError where `federation` is another than the authority's.
    """
    register = place.authority.register
    before = register.federation
    _require_same(before, federation)
    added = [
        name for name in [COORDINATOR, *(s.name for s in federation.sites)] if name not in register.members
    ]
    moved = before.coordinator != federation.coordinator  # its port: in everybody's kit
    standing = [name for name, member in register.members.items() if not member.revoked]
    # A kit that is not there was handed over with its keys; one without a certificate holds none to lose.
    there = [n for n in standing if moved or (place.out / n).exists() or not register.members[n].current]
    names = [*there, *added]
    if added and COORDINATOR not in names:
        names.insert(0, COORDINATOR)
    require_free(place.authority, place.out, names)
    register.federation = federation
    notices, keys = [], {}
    for name in added:
        register.members[name] = Member()
        if _keys_of(federation, name) == "kit":
            keys[name] = place.certify_new_keys(name)
    for name in standing:
        if name not in names:
            notices.append(
                f"{name}: not written, its kit is not in the folder (handed over); `renew` writes it again"
            )
    return place.finish(names, keys, notices)


def approve(
    place: Workplace, request: Request, where: str, *, replace: bool, agreed: Callable[[Checked], None]
) -> Outcome:
    """Certify the keys of a request. agreed: called with what the request proves; raises to refuse it.

    replace: whether a member that has a certificate on other keys may get this one, its old ones being revoked.
    """
    authority = place.authority
    if request.authority != authority.fingerprint:
        raise DataError(
            f"this request is for another federation ({request.federation}, authority {request.authority[:16]} ...)",
            where=where,
            fix="take it to that federation's authority, or make it again from the kit of this one",
        )
    proven = checked(request, where)
    _require_member(authority, proven.name, where)
    if (proven.node_key is None) != (proven.name == COORDINATOR):
        raise DataError(
            "a site's request holds a node key, the coordinator's none", where=where, fix="make it again"
        )
    held = authority.register.certificate(proven.name)
    same = held is not None and key_sha256(p384(held.public_key(), where)) == key_sha256(proven.public_key)
    if held is not None and not same and not replace:
        raise DataError(
            f"{proven.name} has a certificate on other keys, until {held.not_valid_after_utc:%Y-%m-%d}",
            where=where,
            fix="ask the site whether it made new keys; if so: --replace, which revokes the old ones",
        )
    names = _concerned(authority, proven.name)
    require_free(authority, place.out, names)
    agreed(proven)
    notices = []
    revoked = authority.register.members[proven.name].revoked
    if revoked:
        notices.append(f"{proven.name} was revoked on {revoked:%Y-%m-%d} and is taken back with new keys")
    if held is not None and not same:
        authority.revoke(place.signer, proven.name, place.now)
    authority.issue(place.signer, proven.name, proven.public_key, proven.node_key, place.now)
    return place.finish(names, {}, notices)


def renew(place: Workplace, names: list[str], *, new_keys: bool) -> Outcome:
    """New certificates on the same keys; with new_keys, on keys made here, the old ones being revoked."""
    authority, keys, concerned = place.authority, {}, []
    for name in names:
        _require_member(authority, name, "renew")
        if new_keys:
            _require_kit_keys(authority.register.federation, name)
        elif authority.register.certificate(name) is None:
            raise DataError(
                f"{name} has no certificate to renew: it waits for one, or it was revoked",
                where=name,
                fix="approve a request of it, or renew --new-keys where its keys are made here",
            )
        concerned += _concerned(authority, name) if new_keys else [name]
    concerned = list(dict.fromkeys(concerned))
    require_free(authority, place.out, concerned)
    for name in names:
        if new_keys:
            if authority.register.unrevoked(name):
                authority.revoke(place.signer, name, place.now)
            keys[name] = place.certify_new_keys(name)
        else:
            held = authority.register.certificate(name)
            assert held is not None  # refused above
            node_line = authority.register.members[name].node_key
            certificate = place.signer.issue(
                p384(held.public_key(), name), authority.register.federation, name, place.now
            )
            authority.register.accept(name, certificate, node_line)
    return place.finish(concerned, keys, [])


def revoke(place: Workplace, name: str) -> Outcome:
    """Revoke whatever a member was ever given and take it off the roster."""
    authority = place.authority
    _require_member(authority, name, "revoke")
    if not authority.register.unrevoked(name):
        raise DataError(
            f"{name} has nothing to revoke",
            where=name,
            fix="see fedfundus-provision list for what each member has",
        )
    # A site that is out needs no newer kit; everybody must refuse whoever holds the coordinator's old key.
    names = authority.register.names() if name == COORDINATOR else [COORDINATOR]
    require_free(authority, place.out, names)
    authority.revoke(place.signer, name, place.now)
    return place.finish(names, {}, [])


def _concerned(authority: Authority, name: str) -> list[str]:
    """Whose kits change when a member's keys do."""
    return authority.register.names() if name == COORDINATOR else [name, COORDINATOR]


def _keys_of(federation: Federation, name: str) -> str:
    return federation.coordinator.keys if name == COORDINATOR else federation.site(name).keys


def _require_kit_keys(federation: Federation, name: str) -> None:
    if _keys_of(federation, name) == "machine":
        raise DataError(
            f"{name} makes its own keys",
            where=name,
            fix="there: fedfundus-provision request KIT --new-keys; then here: fedfundus-provision approve",
        )


def _require_member(authority: Authority, name: str, where: str) -> None:
    if name not in authority.register.members:
        known = ", ".join(authority.register.members)
        raise DataError(
            f"{name} is not in this federation",
            where=where,
            fix=f"one of {known}; a new site is added to federation.yaml first, then: fedfundus-provision new",
        )


def _require_same(before: Federation, after: Federation) -> None:
    """Raise ConfigError where the federation is another, or changed in what its authority was made for."""
    if before.name != after.name:
        raise ConfigError(
            f"the authority is {before.name}'s, and federation.yaml describes {after.name}",
            where="name",
            fix="give each federation its own folders: --out and --authority",
        )
    if before.coordinator.hosts != after.coordinator.hosts:
        raise ConfigError(
            f"the authority certifies {', '.join(before.coordinator.hosts)} and no other name of the coordinator",
            where="coordinator.hosts",
            fix="put the names back, or make a new federation in folders of its own",
        )
    gone = sorted({site.name for site in before.sites} - {site.name for site in after.sites})
    if gone:
        raise ConfigError(
            f"federation.yaml no longer names {', '.join(gone)}",
            where="sites",
            fix="put it back; to shut a site out: fedfundus-provision revoke",
        )
