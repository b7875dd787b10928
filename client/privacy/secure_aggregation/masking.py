"""A site's answer as masked numbers: clipped, rounded to the field, and added to every mask.

What the guard would look at afterwards is held here before: the coordinator cannot see a single update. An update whose
norm passes federation.norm_bound does not leave; one beyond norm_clip is scaled down; single numbers are cut off at the
bound that keeps the sum from overflowing, and how many were is told in the sum alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from client.privacy.secure_aggregation.refused import RoundRefused
from shared_model.config import Config
from shared_model.exchange.parameters import Arrays
from shared_model.model.parts import PARTS, part_of
from shared_model.secure_aggregation.field import encoded, scales, sizes
from shared_model.secure_aggregation.report import VALIDATION, ReportProblem, to_words
from shared_model.secure_aggregation.session import Cohort
from shared_model.secure_aggregation.stream import WORDS, add_mask

Mask = tuple[bytes, int]  # seed and sign


def masked_update(
    config: Config,
    base: Arrays,
    trained: Arrays,
    fields: dict[str, Any],
    cohort: Cohort,
    site: str,
    masks: Iterable[Mask],
    figures: Iterable[Mask] = (),
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Tensors and report of an answer to `train`, masked. fields: of the answer, with `learning_rate` of the request.

    figures: masks over the validation figures alone, besides the others.
    Raises RoundRefused for an update that is not finite or beyond federation.norm_bound.
    """
    weight = cohort.adverts[site].weight
    found = scales(config, base, float(fields["learning_rate"]), cohort.weight, len(cohort.adverts))
    factor = _factor(config, base, trained)
    vector = np.zeros(sizes(base), dtype=WORDS[config.secure_aggregation.bits])
    start = cut_off = 0
    fields, alone = _of_several(config, cohort, base, fields)
    for name in sorted(base):
        difference = (trained[name].astype(np.float64) - base[name]) * (0.0 if name in alone else factor)
        try:
            whole, beyond = encoded(difference, found[name], weight)
        except OverflowError:
            raise RoundRefused(f"its update of {name} is not finite") from None
        vector[start : start + whole.size] = whole.astype(vector.dtype)
        start, cut_off = start + whole.size, cut_off + beyond
    try:
        report = to_words(fields, weight, sorted(base), cut_off)
    except ReportProblem as error:
        raise RoundRefused(f"its report cannot be masked ({error})") from None
    return _masked(vector, report, masks, figures)


def _of_several(
    config: Config, cohort: Cohort, base: Arrays, fields: dict[str, Any]
) -> tuple[dict[str, Any], set[str]]:
    """What of an answer is no one site's in the sum, and the tensors that are left out.

    A part of the model that one site alone trains would be summed to that site's update, and a loss that few have to
    theirs: no site adds to the one, and losses are told where all sites train the same parts.
    """
    parts = set(PARTS) - cohort.trained_by_several()
    alone = {name for name in base if part_of(name) in parts}
    found = fields | {"untrained": sorted({*fields.get("untrained", ()), *alone})}
    # Private sites tell no losses, so that the sum would be of the few others.
    if config.privacy.sites or len({advert.trains for advert in cohort.adverts.values()}) > 1:
        found |= {"loss": 0.0, "losses": {}}
    return found, alone


def masked_report(
    fields: dict[str, Any], weight: int, masks: Iterable[Mask], figures: Iterable[Mask] = ()
) -> NDArray[Any]:
    """The report of an answer to `evaluate`, masked. figures: as for `masked_update`."""
    try:
        report = to_words(fields, weight)
    except ReportProblem as error:
        raise RoundRefused(f"its report cannot be masked ({error})") from None
    return _masked(np.zeros(0, dtype=WORDS[16]), report, masks, figures)[1]


def _masked(
    vector: NDArray[Any], report: NDArray[Any], masks: Iterable[Mask], figures: Iterable[Mask]
) -> tuple[NDArray[Any], NDArray[Any]]:
    for seed, sign in masks:
        add_mask(vector, seed, sign)
        add_mask(report, seed, sign)
    for seed, sign in figures:
        add_mask(report[VALIDATION], seed, sign)
    return vector, report


def _factor(config: Config, base: Arrays, trained: Arrays) -> float:
    """What the whole update is multiplied by, 1 where it is small enough."""
    square = sum(
        float(np.square(trained[name].astype(np.float64) - array).sum()) for name, array in base.items()
    )
    norm, federation = math.sqrt(square) if math.isfinite(square) else math.inf, config.federation
    if not norm <= federation.norm_bound:
        raise RoundRefused(
            f"its update is not finite, or its norm passes the bound {federation.norm_bound:g}",
            fix="see this site's log; federation.norm_bound is part of the run's plan",
        )
    return federation.norm_clip / norm if federation.norm_clip and norm > federation.norm_clip else 1.0
