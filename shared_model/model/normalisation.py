"""Group normalisation for any number of channels.

The group count must divide the channels, which a fixed group size of eight does for multiples of eight only.
"""

from __future__ import annotations

import math

from torch import nn

GROUP_SIZE = 8


def group_norm(channels: int) -> nn.GroupNorm:
    """Groups of eight channels where they fit, else the most that divide both `channels` and its eighth."""
    return nn.GroupNorm(math.gcd(channels, max(1, channels // GROUP_SIZE)), channels)
