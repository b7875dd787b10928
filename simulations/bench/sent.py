"""The bytes of a round as figures (simulations.bench.exchange counts them)."""

from __future__ import annotations

from simulations.bench.exchange import exchange_bytes
from simulations.bench.figure import Figure, Measured
from simulations.bench.setting import Setting

UP, DOWN = 40e6, 80e6  # bytes a site a round at most, with the paper preset's own codecs
ADAPTERS = 12e6


def measure(setting: Setting) -> Measured:
    """Bytes of one site's round each way, `paper`; counted once, since shapes alone decide."""
    setting.say("packing one round of the full-size model")
    found = exchange_bytes()
    plain = f"where the whole state dict is {found['plain'] / 1e6:.0f} MB each way"
    adapters = [
        Figure(
            f"exchange.{preset.replace('-', '_')}_bytes_{way}",
            (float(sizes[f"bytes_{way}"]),),
            f"preset {preset}, a site a round, {words} as int8",
            unit="bytes",
            goal=ADAPTERS,
            better="lower",
            details=sizes,
        )
        for preset, sizes in found["adapters"].items()
        for way, words in (
            ("up", "sent by the site"),
            ("down", "what changed, sent to a site that holds the set before"),
        )
    ]
    return Measured(
        [
            *adapters,
            Figure(
                "exchange.bytes_up",
                (float(found["bytes_up"]),),
                f"paper preset, a site a round, sent by the site as {found['uplink']}, {plain}",
                unit="bytes",
                goal=UP,
                better="lower",
                details=found,
            ),
            Figure(
                "exchange.bytes_down",
                (float(found["bytes_down"]),),
                f"the same, sent to the site as {found['downlink']}, {plain}",
                unit="bytes",
                goal=DOWN,
                better="lower",
            ),
        ]
    )
