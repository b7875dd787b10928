"""The deployed channels are those of a federation of tests/faults."""

from __future__ import annotations

import sys
from pathlib import Path

for place in ("faults", "client"):
    sys.path.insert(0, str(Path(__file__).parents[1] / place))
