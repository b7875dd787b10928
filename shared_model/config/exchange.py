"""The keys of `[exchange]`: how what travels is packed, each way.

`fp32` sends numbers as they are. Rounding saves bytes and costs a little of every update; what it costs, and what
is done about it, stands in docs/exchange.md.
"""

from __future__ import annotations

from typing import Literal, get_args

from shared_model.config.section import Section

Codec = Literal["fp32", "bf16", "int8"]
CODECS: tuple[Codec, ...] = get_args(Codec)


class ExchangeConfig(Section):
    """What updates and models are packed as.

    uplink: fp32 sends the site's tensors, bf16 and int8 what changed in them. downlink: fp32 and bf16 send the whole
    set, int8 what changed since the set that the site holds, or the whole set in bf16 where it holds none.
    """

    uplink: Codec = "fp32"
    downlink: Codec = "fp32"
    stochastic_rounding: bool = True  # of int8 updates: right on average; false rounds to the nearest
    error_feedback: bool = True  # a site adds what rounding took from one update to its next

    @property
    def plain(self) -> bool:
        """Whether both ways carry fp32 tensors and nothing about them."""
        return self.uplink == self.downlink == "fp32"
