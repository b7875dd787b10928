"""Shares as text, in no more digits than a reader can use."""

from __future__ import annotations

from shared_model.metrics.summary import NOT_AVAILABLE


def share(value: float | None) -> str:
    """`8 %`, `0.4 %`, `99.6 %`, unbreakable: a decimal only where whole percent would say none or all."""
    if value is None:
        return NOT_AVAILABLE
    percent = 100 * value
    if 0 < percent < 0.1:
        return f"{percent:.2f}\u00a0%" if percent >= 0.01 else "< 0.01\u00a0%"
    if 0 < percent < 1 or 99 < percent < 100:
        return "> 99.9\u00a0%" if percent > 99.95 else f"{percent:.1f}\u00a0%"
    return f"{percent:.0f}\u00a0%"
