"""What Flower's error codes mean for who reads `status`: what happened to a site's answer, and what to do.

A reply that is an error has a number and a reason; the reason may come from a site, and is not shown. The sentences are
for the codes of the release that is pinned (flwr.common.constant.ErrorCode).
"""

from __future__ import annotations

from flwr.common.constant import ErrorCode

_LOG = "at the site: fedfundus-site logs gateway"
_SOFTWARE = "so what runs at the site is no gateway of this release; there: fedfundus-site check"
_MEANINGS = {
    ErrorCode.UNKNOWN: f"failed, and Flower does not know why; {_LOG}",
    ErrorCode.LOAD_CLIENT_APP_EXCEPTION: f"could not load an app, {_SOFTWARE}",
    ErrorCode.CLIENT_APP_RAISED_EXCEPTION: f"its gateway failed at the question; {_LOG}",
    ErrorCode.MESSAGE_UNAVAILABLE: "the question, or a part of the answer, is no longer at SuperLink: cut off on the "
    "way, or older than 12 hours; if that happens again, see the site's line and front-error.log",
    ErrorCode.REPLY_MESSAGE_UNAVAILABLE: "the answer grew older than 12 hours before it was fetched: see whether the "
    "coordinator stood still, and compare the clocks",
    ErrorCode.NODE_UNAVAILABLE: "its gateway was stopped, or gave no sign of life for a minute, while its answer was "
    "awaited; at the site: fedfundus-site status, then fedfundus-site start",
    ErrorCode.MOD_FAILED_PRECONDITION: f"refused by code of Flower's own, {_SOFTWARE}",
    ErrorCode.INVALID_FAB: f"refused an app, and none is ever sent, {_SOFTWARE}",
    ErrorCode.CLIENT_APP_CRASHED: f"what worked on the question in its gateway has ended; {_LOG}",
}


def meaning(code: int) -> str:
    """One sentence for a code: what happened, what to do, and the number at its end."""
    said = _MEANINGS.get(code, f"failed, with a number that this release does not know; {_LOG}")
    return f"{said} (Flower error {code})"
