"""What was approved and what waits for it, in the site's state folder: sealed, whole or absent, read at every call.

A plan that the coordinator sends and nobody has approved is kept for the operator to look at; of such plans only the
last few are kept, so that nobody can fill the disk with them. Whatever is approved counts from the next call on, and
no longer from the next call after it was withdrawn. A plan that was withdrawn, or declined before it was approved,
waits no more, however often it is sent again, until the operator approves it after all.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from client.approval.trusted import Trusted
from client.audit.log import AuditLog
from client.site.contents import APPROVALS
from client.site.state import SiteState
from shared_model.errors import DataError, RunError
from shared_model.run_plan import RunPlan, SignedPlan

FEDERATION, PACKAGES, AT_WORK = (
    f"{APPROVALS}/federation.json",
    f"{APPROVALS}/packages.json",
    f"{APPROVALS}/at-work",
)
PLANS = f"{APPROVALS}/plans"
MOST_WAITING = 8


@dataclass(frozen=True)
class KeptPlan:
    """signed: as it came. came, approved, withdrawn: when, ISO 8601 in UTC; the last two are "" for one that waits."""

    signed: SignedPlan
    came: str
    approved: str = ""
    withdrawn: str = ""

    @property
    def waits(self) -> bool:
        """Whether the operator has not decided yet."""
        return not self.approved and not self.withdrawn


class Approvals:
    """The approvals of one site."""

    def __init__(self, state: SiteState) -> None:
        self._state = state

    def known_federation(self) -> Trusted | None:
        """The federation that is believed, or None where the operator has named none."""
        content = self._state.read(FEDERATION)
        return None if content is None else Trusted.model_validate_json(content)

    @property
    def trusted(self) -> Trusted:
        """The federation that is believed. Raises RunError where the operator has named none."""
        known = self.known_federation()
        if known is None:
            raise RunError(
                "this site's operator has not named the federation it believes",
                fix="at the site: fedfundus-site approve --kit KIT",
            )
        return known

    def trust(self, trusted: Trusted) -> None:
        """Believe this federation's authority from now on; plans of another one count no more."""
        self._told("federation trusted", federation=trusted.federation, authority=trusted.fingerprint)
        self._state.write(FEDERATION, trusted.model_dump_json().encode())

    def forget_federation(self) -> None:
        """Believe nobody from now on: no question is answered."""
        self._told("federation forgotten")
        self._state.remove(FEDERATION)

    def packages(self) -> dict[str, str]:
        """SHA-256 of every approved package -> when it was approved."""
        return {
            str(name): str(when) for name, when in json.loads(self._state.read(PACKAGES) or b"{}").items()
        }

    def approve_package(self, sha256: str) -> None:
        """Let this package run here."""
        self._told("package approved", package=sha256)
        self._write(PACKAGES, self.packages() | {sha256: _now()})

    def plans(self) -> dict[str, KeptPlan]:
        """SHA-256 -> plan, oldest first."""
        folder = self._state.path(PLANS)
        names = sorted(path.name for path in folder.glob("*.json")) if folder.is_dir() else []
        kept = {name.removesuffix(".json"): self._read(f"{PLANS}/{name}") for name in names}
        return dict(sorted(kept.items(), key=lambda item: (item[1].came, item[0])))

    def plan(self, sha256: str) -> KeptPlan | None:
        """The plan of this hash, if it is known here."""
        name = f"{PLANS}/{sha256}.json"
        return self._read(name) if self._state.path(name).is_file() else None

    def propose(self, signed: SignedPlan) -> KeptPlan:
        """Keep a plan for the operator to look at; one that is known stays as it is. It must have been verified."""
        known = self.plan(signed.sha256)
        if known is not None:
            return known
        waiting = [sha256 for sha256, kept in self.plans().items() if kept.waits]
        for oldest in waiting[: max(0, len(waiting) - MOST_WAITING + 1)]:
            self._state.remove(f"{PLANS}/{oldest}.json")
        return self._keep(KeptPlan(signed, _now()))

    def approve_plan(self, signed: SignedPlan) -> None:
        """Let a run of this plan use this site."""
        kept = self.propose(signed)
        if not kept.approved:
            self._told("plan approved", plan=signed.sha256)
            self._keep(KeptPlan(signed, kept.came, _now()))

    def withdraw(self, sha256: str) -> bool:
        """Take the approval of a package or plan back, or decline a plan that waits; whether there was anything to."""
        packages = self.packages()
        if sha256 in packages:
            self._told("package withdrawn", package=sha256)
            self._write(PACKAGES, {name: when for name, when in packages.items() if name != sha256})
            return True
        kept = self.plan(sha256)
        if kept is None or kept.withdrawn:
            return False
        self._told("plan withdrawn" if kept.approved else "plan declined", plan=sha256)
        self._keep(KeptPlan(kept.signed, kept.came, withdrawn=_now()))
        return True

    def require(self, signed: SignedPlan, package: str) -> RunPlan:
        """The plan, if this federation's coordinator signed it and the operator approved it, run by this package.

        A plan that only lacks the approval is kept for the operator. Raises DataError or RunError, whose `what` may
        leave the site.
        """
        known = self.plan(signed.sha256)
        approved = known is not None and known.approved and known.signed == signed
        plan = self.trusted.plan_of(signed, None if approved else datetime.now(UTC))
        kept = self.propose(signed)
        if package not in self.packages():
            raise RunError(
                f"this site's operator has not approved the installed package {package[:16]}",
                fix="at the site: fedfundus-site approve",
            )
        if not kept.approved:
            raise RunError(
                f"this site's operator has not approved the run plan {signed.sha256[:16]}",
                fix="at the site: fedfundus-site approve"
                + (f" --hash {signed.sha256[:16]}, since it was withdrawn" if kept.withdrawn else ""),
            )
        return plan

    def at_work(self) -> SignedPlan | None:
        """The plan that was joined last, so that a worker that starts anew goes on with it."""
        content = self._state.read(AT_WORK)
        kept = self.plan(content.decode("ascii", "replace")) if content is not None else None
        return None if kept is None else kept.signed

    def set_at_work(self, sha256: str) -> None:
        """Remember which plan was joined last."""
        self._state.write(AT_WORK, sha256.encode("ascii"))

    def _told(self, event: str, **detail: str) -> None:
        """Into the audit log before it counts: what is approved was written down."""
        AuditLog(self._state).append(event, **detail)

    def _keep(self, kept: KeptPlan) -> KeptPlan:
        fields = kept.signed.to_field() | {"came": kept.came, "approved": kept.approved}
        if kept.withdrawn:  # no field that earlier releases do not know, where it says nothing
            fields["withdrawn"] = kept.withdrawn
        self._write(f"{PLANS}/{kept.signed.sha256}.json", fields)
        return kept

    def _read(self, name: str) -> KeptPlan:
        fields = json.loads(self._state.read(name) or b"{}")
        try:
            came, approved = str(fields.pop("came")), str(fields.pop("approved"))
            withdrawn = str(fields.pop("withdrawn", ""))
            return KeptPlan(SignedPlan.of(fields), came, approved, withdrawn)
        except KeyError:
            raise DataError(
                "a run plan that this site keeps is damaged",
                where=str(self._state.path(name)),
                fix="delete that file; the plan is asked for again",
            ) from None

    def _write(self, name: str, document: object) -> None:
        self._state.write(name, json.dumps(document, sort_keys=True).encode())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
