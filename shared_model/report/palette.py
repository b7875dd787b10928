"""One colour per model, the same in every plot and table, readable on light, on dark and colour-blind.

The hues follow Okabe and Ito (2008), darkened on light ground and lightened on dark to keep a contrast of 3:1
and more. A site and the model trained there alone share a colour; line styles tell sites apart a second time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared_model.metrics.document import LOCAL


@dataclass(frozen=True)
class Colour:
    """A CSS variable with its value on light and on dark ground, and the dash pattern that goes with it."""

    name: str
    light: str
    dark: str
    dash: str = "-"

    @property
    def css(self) -> str:
        """The colour as a stylesheet names it."""
        return f"var(--{self.name})"


FEDERATED = Colour("federated", "#0b5fa5", "#6db6f2")
POOLED = Colour("pooled", "#c2410c", "#f59463")
EQUAL_STEPS = Colour("equal-steps", "#c98a5e", "#b8794f", "--")
MAJORITY = Colour("majority", "#6f7680", "#9aa2ad", ":")
SITES = (
    Colour("site-0", "#00805a", "#40c79a", "--"),
    Colour("site-1", "#9d4a8a", "#dd98c9", "-."),
    Colour("site-2", "#8f6c00", "#e2bb42", ":"),
    Colour("site-3", "#2b7f95", "#7ccfe4", "--"),
    Colour("site-4", "#7b5643", "#c9a48f", "-."),
    Colour("site-5", "#5b5f97", "#aeb2ea", ":"),
)
ALL = (FEDERATED, POOLED, EQUAL_STEPS, MAJORITY, *SITES)


def site_colours(sites: Sequence[str]) -> dict[str, Colour]:
    """Site -> its colour, in the order given; a seventh site starts over."""
    return {site: SITES[i % len(SITES)] for i, site in enumerate(sites)}


def model_colour(model: str, sites: Mapping[str, Colour]) -> Colour:
    """The colour of a model by its name in the document."""
    fixed = {"federated": FEDERATED, "pooled": POOLED, "pooled_equal_steps": EQUAL_STEPS}
    return fixed.get(model) or sites.get(model.removeprefix(LOCAL), MAJORITY)
