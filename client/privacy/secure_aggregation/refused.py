"""How a site says that it does not go on with a round: without a word about its data, and naming what does not fit."""

from __future__ import annotations

from shared_model.errors import DataError


class RoundRefused(DataError):
    """The coordinator asks for what secure aggregation does not give; the site's part in the round ends."""

    def __init__(self, why: str, *, fix: str = "") -> None:
        super().__init__(
            f"this site's part in the secure round ends: {why}",
            where="secure aggregation",
            fix=fix or "the coordinator has to begin the round anew, with the release that the sites use",
        )
