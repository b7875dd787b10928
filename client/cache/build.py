"""Filling a cache before it is needed: its size said first, as many threads as training may have, resumable.

One photograph or note is one piece of work, written as soon as it is computed; what an earlier build finished is not
done again, whatever ended it. Only one process builds a file, and others that want it wait and find it done.
"""

from __future__ import annotations

from contextlib import closing

from client.cache import listener
from client.cache.computing import computed
from client.cache.features import KeptFeatures, rounded
from client.cache.plans import Entry, Plan
from shared_model.errors import FedFundusError


def fill(kept: KeptFeatures, plan: Plan, *, bounded_by: str) -> None:
    """Compute and keep what is missing of the plan, as far as there is room; where the disk refuses, no more.

    bounded_by: what limits the room, in words. The run goes on in any case, with what there is.
    """
    if all(entry.key in kept.file for entry in plan.entries):
        return
    try:
        with kept.file.writing():
            missing = [entry for entry in plan.entries if entry.key not in kept.file]
            chosen = _announced(kept, plan, missing, bounded_by)
            _compute(kept, plan, chosen)
    except FedFundusError as error:
        kept.limit = 0
        kept.tell(f"{error.what}; the run goes on, and computes what is not kept")


def _compute(kept: KeptFeatures, plan: Plan, chosen: list[Entry]) -> None:
    """Until others that fill the folder at the same time have left no room."""
    with closing(computed([entry.compute for entry in chosen])) as found:
        for done, (entry, features) in enumerate(zip(chosen, found, strict=True)):
            half = rounded(features)
            if half is not None and not kept.write(entry.key, half):
                listener.warn(
                    "what is built beside it has taken the rest of the room; what does not fit, "
                    f"{len(chosen) - done:,} more {plan.unit}, is computed every time"
                )
                return
            listener.progress(done + 1, len(chosen), plan.unit)


def in_words(number: float) -> str:
    """A number of bytes for a person."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if number >= size:
            return f"{number / size:,.1f} {unit}"
    return f"{number / 1e3:,.0f} kB"


def _announced(kept: KeptFeatures, plan: Plan, missing: list[Entry], bounded_by: str) -> list[Entry]:
    """What of the missing is to be computed; its size is said first."""
    if not missing:
        return []
    total = plan.bytes
    left = sum(entry.bytes for entry in missing)
    already = f", of which {in_words(total - left)} are there already" if left < total else ""
    listener.announce(f"{in_words(total)} for {plan.described}{already}")
    room, chosen = kept.limit - kept.file.size + kept.file.spare, []
    for entry in missing:
        if entry.bytes > room:
            break
        room -= entry.bytes
        chosen.append(entry)
    if len(chosen) < len(missing):
        listener.warn(
            f"{bounded_by} leaves room for {in_words(max(0, kept.limit))}; what does not fit, "
            f"{len(missing) - len(chosen):,} of {len(plan.entries):,} {plan.unit}, is computed every time"
        )
    return chosen
