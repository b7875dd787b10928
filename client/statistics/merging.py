"""No count of a few patients leaves, nor can one be worked out: small cells join their neighbours.

Patients decide and photographs are counted: cells are added up from the left until a group holds the minimum
of distinct patients, however many photographs they have; what remains at the end
joins the last group, and a table that never gets there is withheld. Empty cells are absorbed like any other
small one. Then every cell of a merged group could be any of `minimum` values at least: one but the last of its
group may hold 0 to minimum - 1 patients, the last whatever completes the group. (Were empty cells published, a
merged cell would be known not to be empty, and with a minimum of 2 to be 1.) Whether a group is closed depends
on nothing outside it, so tables side by side do not narrow this down.

A table's total stands beside the number of photographs, so their difference, those without the value, is a
cell too: where a few patients lack the value, a few more are held back. They are the first in an order keyed
with a secret of the site and drawn from their pseudonyms alone, hence the same in every answer: asking again
averages nothing out. tests/client/statistics/test_merging.py tries every small table.
Not covered: two tables that state one fact (ICDR and the finding "diabetic retinopathy") are merged each by
itself; whoever knows how they hang together may learn more than from either.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shared_model.statistics import Counts

_Ints = NDArray[np.int64]
MISSING = -1


def merge(codes: _Ints, patients: _Ints, cells: int, minimum: int) -> Counts | None:
    """The table of `codes` as it may leave, or None where it may not.

    codes: the cell of each photograph, MISSING where it has none. patients: whose it is, numbered from 0.
    minimum: distinct patients of a group; below 2 every cell stands alone.
    """
    known = codes != MISSING
    counts = np.bincount(codes[known], minlength=cells)
    if minimum < 2:
        return Counts.whole(counts.tolist())
    pairs = np.unique(np.stack([codes[known], patients[known]]), axis=1)
    starts, sums, held, total = [0], [], set[int](), 0
    for cell in range(cells):
        held.update(pairs[1, pairs[0] == cell].tolist())
        total += int(counts[cell])
        if len(held) >= minimum:
            sums.append(total)
            starts.append(cell + 1)
            held, total = set(), 0
    if not sums:
        return None
    sums[-1] += total
    return Counts(cells, tuple(starts[: len(sums)]), tuple(sums))


def hold_back(codes: _Ints, patients: _Ints, order: _Ints, minimum: int) -> _Ints:
    """The codes with further patients' values taken out, until none or at least `minimum` patients lack one.

    order: patient -> place in the draw; the first who have the value at all their photographs go.
    """
    lacking = np.unique(patients[codes == MISSING])
    if minimum < 2 or not 0 < len(lacking) < minimum:
        return codes
    complete = np.setdiff1d(np.unique(patients), lacking)
    drawn = complete[np.argsort(order[complete])][: minimum - len(lacking)]
    return np.where(np.isin(patients, drawn), MISSING, codes)


def patients_may_be_told(patients: _Ints, minimum: int) -> bool:
    """Whether the number of patients may stand beside that of photographs.

    Not where few patients or none have several photographs, or one: the difference would count them.
    """
    photographs = np.unique(patients, return_counts=True)[1]
    return minimum < 2 or all(int(some.sum()) >= minimum for some in (photographs > 1, photographs == 1))


def draw_order(names: Sequence[str], key: bytes) -> _Ints:
    """Place of each patient in the draw: by HMAC-SHA256 of the pseudonym under the site's key."""
    digests = [hmac.new(key, f"statistics draw|{name}".encode(), hashlib.sha256).digest() for name in names]
    order = np.empty(len(names), dtype=np.int64)
    order[sorted(range(len(names)), key=digests.__getitem__)] = np.arange(len(names))
    return order
