"""`fedfundus-site approve`: shows what is asked of this site, each with its hash, and writes down what was agreed.

Somebody at the keyboard is asked for each; a script names the hashes it agrees to, which it has from somebody who
compared them, since "yes to whatever is there" would approve nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from client.approval.hashes import fitting, given_hash
from client.approval.store import Approvals
from client.approval.trusted import Trusted, trusted_of_kit
from deploy.pki.keys import spoken
from shared_model.config.privacy import PrivacyConfig
from shared_model.config.secure_aggregation import SecureAggregationConfig
from shared_model.errors import DataError
from shared_model.package import package_sha256
from shared_model.run_plan import RunPlan, SignedPlan
from shared_model.version import PACKAGE_VERSION

Confirm = Callable[[str], bool]


@dataclass
class Operator:
    """Who agrees. hashes: what a script agrees to. confirm: asks a person; None where there is none."""

    hashes: tuple[str, ...]
    confirm: Confirm | None
    show: Callable[[str], None]

    def __post_init__(self) -> None:
        self.hashes = tuple(given_hash(given, "--hash") for given in self.hashes)

    def names(self, sha256: str) -> bool:
        """Whether a script gave this hash."""
        return any(sha256.startswith(given) for given in self.hashes)

    def agrees(self, sha256: str, what: str) -> bool:
        """Whether they agree to what has this hash, which was shown."""
        if self.hashes:
            return self.names(sha256)
        return self.confirm is not None and self.confirm(f"Approve {what} {sha256[:16]}?")


def approve(
    approvals: Approvals, operator: Operator, site: str, *, kit: Path | None, file: Path | None
) -> bool:
    """Ask for everything that waits; whether nothing is left waiting. Nothing is half approved.

    site: its name in site.toml, by which the worker decides whether it trains privately. kit: of this site, whose
    authority is to be believed. file: a signed plan in place of those that came by themselves.
    """
    done = kit is None or _federation(approvals, operator, trusted_of_kit(kit, site))
    done &= _package(approvals, operator)
    if kit is not None and not done:
        return False
    if file is not None:
        signed = read_signed(file)
        approvals.trusted.plan_of(signed, datetime.now(UTC))
        return _plan(approvals, operator, approvals.propose(signed).signed, site) and done
    for sha256, kept in approvals.plans().items():
        if kept.waits or (kept.withdrawn and operator.names(sha256)):
            done &= _plan(approvals, operator, kept.signed, site)
    return done


def unmatched(
    approvals: Approvals, operator: Operator, site: str, *, kit: Path | None, file: Path | None
) -> list[str]:
    """The hashes a script gave that nothing here has. Raises ConfigError for one that several things have.

    Asked before `approve`, of all that it could ask for and of all that was approved before, which a script may repeat.
    """
    if not operator.hashes:
        return []
    trusted = approvals.known_federation()
    known = [package_sha256(), *approvals.packages(), *approvals.plans()]
    known += [trusted.fingerprint] if trusted is not None else []
    known += [trusted_of_kit(kit, site).fingerprint] if kit is not None else []
    known += [read_signed(file).sha256] if file is not None else []
    return [given for given in operator.hashes if fitting(given, known, "--hash") is None]


def read_signed(file: Path) -> SignedPlan:
    """The signed plan in a file. Raises DataError."""
    try:
        return SignedPlan.of(json.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise DataError(
            f"the plan cannot be read ({error.strerror})", where=str(file), fix="check the path"
        ) from None
    except (ValueError, RecursionError):
        raise DataError(
            "the file is no signed run plan", where=str(file), fix="ask the coordinator for it"
        ) from None


def _federation(approvals: Approvals, operator: Operator, trusted: Trusted) -> bool:
    known = approvals.known_federation()
    if known is not None and known.authority == trusted.authority:
        if trusted.number < known.number:
            raise DataError(
                "this kit is older than the one approved before: it may not know of a revoked certificate",
                fix="give the newest kit",
            )
        approvals.trust(trusted)
        return True
    operator.show(f"federation {trusted.federation}, whose authority has the fingerprint")
    operator.show(f"  {spoken(trusted.fingerprint)}")
    operator.show("  compare it by telephone with whoever runs the authority")
    if not operator.agrees(trusted.fingerprint, "the authority"):
        return False
    approvals.trust(trusted)
    return True


def _package(approvals: Approvals, operator: Operator) -> bool:
    found = package_sha256()
    if found in approvals.packages():
        return True
    operator.show(f"installed package fedfundus {PACKAGE_VERSION}")
    operator.show(f"  {found}")
    if not operator.agrees(found, "the installed package"):
        return False
    approvals.approve_package(found)
    return True


def _plan(approvals: Approvals, operator: Operator, signed: SignedPlan, site: str) -> bool:
    known = approvals.plan(signed.sha256)
    if known is not None and known.approved:
        return True
    plan = approvals.trusted.plan_of(signed, datetime.now(UTC))
    for line in summary(plan, package_sha256(), site):
        operator.show(line)
    if not operator.agrees(signed.sha256, "the run plan"):
        return False
    approvals.approve_plan(signed)
    return True


def summary(plan: RunPlan, package: str, site: str) -> list[str]:
    """What a plan asks of `site`, for a person. package: the one installed here."""
    config = plan.config
    megabytes = plan.bytes_of_tensors / 1e6
    return [
        f"run {plan.run} of federation {plan.federation}, signed by its coordinator",
        f"  {plan.sha256}",
        f"  model: preset {config.preset}, {len(plan.tensors)} tensors travel, {megabytes:,.1f} MB as fp32 "
        f"(up as {config.exchange.uplink}, down as {config.exchange.downlink})",
        f"  training: {config.federation.rounds} rounds of {config.training.local_steps} steps of "
        f"{config.training.batch_size}, {config.federation.strategy}",
        f"  privacy: {_privacy(config.privacy, site)}",
        f"  secure aggregation: {_secure(config.secure_aggregation)}",
        f"  statistics: {', '.join(plan.statistics) or 'none'}",
        f"  questions: {', '.join(plan.questions)}",
        f"  the coordinator runs {'the same package' if plan.package == package else 'ANOTHER package'}: "
        f"fedfundus {plan.version}, {plan.package[:16]}",
    ]


def _secure(section: SecureAggregationConfig) -> str:
    if not section.enabled:
        return "none: the coordinator sees this site's own updates"
    least = section.threshold or "more than half"
    return f"the coordinator sees sums alone, of {least} of a round's sites at least"


def _privacy(section: PrivacyConfig, site: str) -> str:
    found = section.model_dump(exclude={"enabled", "sites"})
    if not section.enabled:
        return "none: updates are not made private"
    shown = ", ".join(f"{name} {value}" for name, value in found.items())
    if not section.sites:
        return shown
    if not section.covers(site):
        return (
            f"NONE AT THIS SITE: updates of {site} are not made private; only {', '.join(section.sites)} train "
            f"privately ({shown})"
        )
    others = [name for name in section.sites if name != site]
    beside = f"; {', '.join(others)} too, and no other site" if others else ", and no other site"
    return f"this site trains privately: {shown}{beside}"
