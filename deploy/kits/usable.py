"""Whether a kit can be started with: the first thing that `verify` finds wrong with it, as a numbered error."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from deploy.errors import Code, DeployError
from deploy.kits.findings import Finding, Verified
from deploy.kits.verify import verify
from shared_model.errors import ConfigError, DataError


def require_usable(kit: Path, now: datetime, *, name: str = "", authority: str = "") -> Verified:
    """What verify() finds. name: whose kit it must be; authority: the fingerprint that is believed already.

    Raises DeployError for a kit that is not whole, another federation's, or not valid now; ConfigError for one of
    another member.
    """
    try:
        found = verify(kit, now, authority)
    except DataError as error:
        raise DeployError(Code.NOT_WHOLE, error.what, where=error.where, fix=error.fix) from None
    problems = [finding for finding in found.findings if finding.level == "problem"]
    if problems:
        worst = min(problems, key=lambda finding: _ORDER.index(_code(finding)))
        raise DeployError(
            _code(worst), f"the kit cannot be used: {worst.problem}", where=_where(kit, worst), fix=worst.fix
        )
    if name and found.name != name:
        raise ConfigError(
            f"the kit is of {found.name!r}, and this is {name!r}", where=str(kit), fix="give its own kit"
        )
    return found


_ORDER = (Code.OTHER_FEDERATION, Code.NOT_WHOLE, Code.CLOCK, Code.EXPIRED, Code.UNSOUND)


def _code(finding: Finding) -> Code:
    if finding.check in ("the authority that was named", "federation"):
        return Code.OTHER_FEDERATION
    if "clock" in finding.problem:
        return Code.CLOCK
    if "expired" in finding.problem:
        return Code.EXPIRED
    whole = ("missing", "interrupted", "not whole", "cut short")
    return Code.NOT_WHOLE if any(word in finding.problem for word in whole) else Code.UNSOUND


def _where(kit: Path, finding: Finding) -> str:
    return str(kit / finding.where) if finding.where else str(kit)
