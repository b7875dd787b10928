"""What a check of a kit answers: good, a warning, or a problem with its place and its fix."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from cryptography import x509

from deploy.kits.contents import WARN_DAYS
from deploy.pki.reading import require_time
from shared_model.errors import DataError

Level = Literal["ok", "warning", "problem"]
AGAIN = "copy the kit again, whole; if that does not help, ask for a new one"
RENEW = "ask for a renewal (fedfundus-provision renew, where the authority is)"


@dataclass(frozen=True)
class Finding:
    """One check's answer. where: file of the kit."""

    level: Level
    check: str
    problem: str = ""
    where: str = ""
    fix: str = ""


@dataclass(frozen=True)
class Verified:
    """What verify() found. name, federation and authority are empty where the kit does not say so reliably."""

    findings: tuple[Finding, ...]
    federation: str = ""
    name: str = ""
    authority: str = ""
    expires: datetime | None = None

    @property
    def exit_code(self) -> int:
        """0: good. 1: good with warnings. 2: do not use it."""
        levels = {finding.level for finding in self.findings}
        return 2 if "problem" in levels else 1 if "warning" in levels else 0


def days_left(ends: datetime, now: datetime) -> int:
    """Days until a certificate ends, the last one counted as a whole."""
    return math.ceil((ends - now) / timedelta(days=1))


def expiry(check: str, certificate: x509.Certificate, now: datetime, where: str, fix: str = RENEW) -> Finding:
    """Whether a certificate is valid now, and for how much longer."""
    try:
        require_time(certificate, now, where, fix)
    except DataError as error:
        return finding_of(error, check)
    ends = certificate.not_valid_after_utc
    left = days_left(ends, now)
    if left < WARN_DAYS:
        return Finding("warning", check, f"it expires in {left} days, on {ends:%Y-%m-%d}", where, fix)
    return Finding("ok", f"{check}, until {ends:%Y-%m-%d} ({left} days)")


def attempt(check: str, findings: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """The findings, where a file that cannot be read is one as well."""
    found: list[Finding] = []
    try:
        found.extend(findings())
    except DataError as error:
        found.append(finding_of(error, check))
    except x509.ExtensionNotFound:
        found.append(Finding("problem", check, "it is not a certificate of fedfundus-provision", "", AGAIN))
    return found


def finding_of(error: DataError, check: str) -> Finding:
    """An error as the finding of a check."""
    return Finding("problem", check, error.what, error.where, error.fix)
