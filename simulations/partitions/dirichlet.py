"""Label skew: each grade is shared out over the sites in proportions drawn from a Dirichlet distribution.

After Hsu, Qi and Brown (2019), arXiv:1909.06335, by patient on the highest ICDR of either eye. Small alpha
gives sites that hardly share a grade, large alpha approaches iid. A draw that leaves a site too small is
drawn again, as is usual.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from shared_model.errors import DataError
from simulations.partitions.dealt import Dealt, numbered
from simulations.partitions.units import Unit

DEFAULT_SITES = 3
FEW = 5  # training patients, or groups of them, that a site should have at least
_DRAWS = 500


def deal(units: list[Unit], sites: int | None, seed: int, alpha: float) -> Dealt:
    """Sites with their own mix of grades.

    Every site gets at least FEW training units, or half of an even share where that is less. Raises DataError
    where no draw gives it.
    """
    names = numbered(sites or DEFAULT_SITES)
    training = sum(unit.trains for unit in units)
    least = max(1, min(FEW, training // (2 * len(names))))
    random = np.random.default_rng(seed)
    for _ in range(_DRAWS):
        shares = _draw(units, len(names), alpha, random)
        if all(sum(unit.trains for unit in share) >= least for share in shares):
            return Dealt(dict(zip(names, shares, strict=True)))
    raise DataError(
        f"No partition of {len(units)} patients with alpha {alpha:g} gives each of {len(names)} sites "
        f"at least {least} patients to train on.",
        where="--partition dirichlet",
        fix="Use fewer sites or a larger alpha.",
    )


def _draw(units: list[Unit], sites: int, alpha: float, random: np.random.Generator) -> list[list[Unit]]:
    by_grade: dict[int, list[Unit]] = defaultdict(list)
    for unit in units:
        by_grade[unit.grade].append(unit)
    shares: list[list[Unit]] = [[] for _ in range(sites)]
    for grade in sorted(by_grade):
        members = by_grade[grade]
        ends = np.cumsum(random.dirichlet(np.full(sites, alpha)))[:-1] * len(members)
        order = random.permutation(len(members))
        for share, part in zip(shares, np.split(order, np.rint(ends).astype(int)), strict=True):
            share.extend(members[i] for i in part)
    return shares
