"""Where the time of something goes, by PyTorch's profiler: its operations, the most expensive first."""

from __future__ import annotations

from collections.abc import Callable

from torch.profiler import ProfilerActivity, profile

SHOWN = 12


def operations(run: Callable[[], object]) -> list[str]:
    """One line an operation: its share of the processor's time, seconds and calls; `run` is called twice."""
    run()
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        run()
    averages = sorted(profiled.key_averages(), key=lambda event: -event.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in averages)
    lines = [
        f"{event.self_cpu_time_total / total:6.1%}  {event.self_cpu_time_total / 1e6:8.3f} s  "
        f"{event.count:6d} calls  {event.key}"
        for event in averages[:SHOWN]
    ]
    rest = sum(event.self_cpu_time_total for event in averages[SHOWN:])
    return [*lines, f"{rest / total:6.1%}  {rest / 1e6:8.3f} s  {'':6s}        everything else"]
