"""What more sites cost the coordinator: memory at its peak and seconds an update, 30 sites against 3, at full size."""

from __future__ import annotations

from simulations.bench.alone import measured_alone
from simulations.bench.figure import Figure, Measured
from simulations.bench.setting import Setting

FEW, MANY = 3, 30
GOAL = 1.1


def measure(setting: Setting) -> Measured:
    """One round of the paper preset's shared tensors in its own codecs, each in a process of its own."""
    repeats = 3 if setting.full else 1
    pairs = []
    for number in range(repeats):
        setting.say(
            f"one round of full-size updates of {FEW} and of {MANY} sites, run {number + 1} of {repeats}"
        )
        pairs.append([measured_alone("simulations.bench.aggregation_run", [str(n)]) for n in (FEW, MANY)])
    what = f"round loop, paper preset, one round, {MANY} sites over {FEW}"
    peaks = tuple(many["peak_bytes"] / few["peak_bytes"] for few, many in pairs)
    seconds = tuple((many["seconds"] - few["seconds"]) / (MANY - FEW) for few, many in pairs)
    details = {"runs": pairs}
    return Measured(
        [
            Figure(
                "aggregation.peak_ratio_30_to_3",
                peaks,
                f"{what}: peak memory of the coordinator",
                goal=GOAL,
                better="lower",
                details=details,
            ),
            Figure(
                "aggregation.seconds_an_update",
                seconds,
                "the same: seconds that one more update takes to unpack, guard and add",
                unit=" s",
                better="lower",
            ),
        ]
    )
