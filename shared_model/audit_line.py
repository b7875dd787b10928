"""A line of an audit log, as both ends keep one: its digest covers the line and the digest of the line before.

No line can be changed, moved or taken out of the middle without every later digest changing. Who can write the file
can still write all of it anew: a log proves something against a digest that somebody else was told.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def line_digest(line: Mapping[str, Any]) -> str:
    """SHA-256 of a line without its own digest, the previous one's included."""
    content = json.dumps(line, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(content.encode()).hexdigest()
