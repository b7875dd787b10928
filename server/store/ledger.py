"""What is written down of a site that took part in a round: how much, of which data, with which package, at which cost.

A site may say these beside its update; what is malformed is left empty, since it decides nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_HASH = re.compile(r"[0-9a-f]{8,64}")
_PACKAGE = re.compile(r"[0-9A-Za-z.+_-]{1,64}")  # a release, or a hash of what is installed
LARGEST = 2**31


@dataclass(frozen=True)
class Participant:
    """data: fingerprint of the records, package: of what is installed there, both as the site says. epsilon: of the
    run so far; steps: of this round, where it trained privately and a limit may have left fewer than were asked for.
    None: not said, as of a site that trained without differential privacy.
    """

    examples: int
    skipped: int | None
    data: str | None
    package: str | None
    epsilon: float | None
    steps: int | None = None


def participant(fields: Mapping[str, Any]) -> Participant:
    """From the fields of an update that the guard has passed."""
    return Participant(
        int(fields["examples"]),
        _count(fields.get("skipped")),
        _matching(_HASH, fields.get("data")),
        _matching(_PACKAGE, fields.get("package")),
        _number(fields.get("epsilon")),
        _count(fields.get("steps")),
    )


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LARGEST else None


def _matching(pattern: re.Pattern[str], value: Any) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


def _number(value: Any) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return None
    return float(value)
