"""The keys of `[cache]`: what of the frozen encoders' work is done once and kept, described in docs/cache.md.

A cache changes no number but by the rounding to half precision that docs/cache.md states. `image_draws` does: it is
how many changed versions of a photograph training sees.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from shared_model.config.section import NonNegative, Section


class CacheConfig(Section):
    """text: keep what the text trunk gives of every note. image_draws: changed versions of every training photograph,
    drawn once, the first being the photograph itself, whose trunk features are kept; 0 draws a new one in every step
    and keeps none. maximum_gb: disk space (1e9 bytes) of one folder of features; 0 keeps none.
    """

    text: bool = True
    image_draws: Annotated[int, Field(ge=0, le=64)] = 0
    maximum_gb: NonNegative = 20.0
