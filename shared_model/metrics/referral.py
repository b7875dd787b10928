"""Which cases a person should look at: how fast errors fall when the least certain cases are handed over.

Risk-coverage (Geifman and El-Yaniv, 2017): cases in order of certainty, and the share of errors among the most
certain ones. A threshold chosen and measured on the same cases flatters itself, so every referral threshold is
also measured across: chosen on one half of the patients and applied to the other, and the reverse.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_model.metrics import bootstrap
from shared_model.metrics.grading import Floats
from shared_model.randomness import numpy_generator

LEVELS = (0.90, 0.95)  # accuracy that the cases which are not handed over should reach
MINIMUM_KEPT = 20  # of fewer cases an accuracy says nothing
_POINTS = 100

Wrong = NDArray[np.bool_]


def risk_coverage(uncertainty: Floats, wrong: Wrong) -> dict[str, list[float]]:
    """The curve at 1 %, 2 % ... 100 % coverage: coverage and risk, ties sharing their errors evenly."""
    kept, errors = (np.concatenate([[0.0], side[0]]) for side in _cumulated(uncertainty, wrong, None))
    coverage = np.arange(1, _POINTS + 1) / _POINTS
    n = np.ceil(coverage * len(wrong) - 1e-9)
    return {"coverage": coverage.tolist(), "risk": (np.interp(n, kept, errors) / n).tolist()}


def area(uncertainty: Floats, wrong: Wrong, weights: Floats | None = None) -> Floats:
    """Area under the risk-coverage curve: the mean over k of the risk among the k most certain cases.

    uncertainty, wrong: (N,). weights: (R, N) whole numbers, how often each case counts. Returns (R,), or (1,)
    without weights. In a tie every order is equally likely, and the area is its expectation.
    """
    kept, errors = _cumulated(uncertainty, wrong, weights)
    before, errors_before = (
        np.concatenate([np.zeros((len(x), 1)), x[:, :-1]], axis=1) for x in (kept, errors)
    )
    tied, wrong_here = kept - before, errors - errors_before
    rate = np.divide(wrong_here, tied, out=np.zeros_like(tied), where=tied > 0)
    total = kept[:, -1]
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, int(total.max(initial=0)) + 1))])
    steps = harmonic[kept.astype(np.int64)] - harmonic[before.astype(np.int64)]
    # Sum over j = 1 .. tied of (errors_before + j rate) / (before + j).
    found: Floats = (wrong_here + (errors_before - before * rate) * steps).sum(axis=1)
    found /= np.where(total > 0, total, np.nan)
    return found


def area_figures(
    uncertainties: dict[str, Floats],
    wrong: Wrong,
    patients: NDArray[np.str_],
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, dict[str, Any]]:
    """For each way to be uncertain: aurc, its interval, and difference and difference_interval to the first way.

    A difference below 0 is a gain. The same resamples of patients serve all.
    """
    names = list(uncertainties)

    def areas(weights: Floats) -> Floats:
        return np.stack([area(uncertainties[name], wrong, weights) for name in names], axis=1)

    value = areas(np.ones((1, len(wrong))))[0]
    drawn, count = bootstrap.weighted(patients, areas, resamples, seed)
    return {
        name: {
            "aurc": float(value[i]),
            "interval": bootstrap.interval_of(drawn[:, i], count),
            "difference": float(value[i] - value[0]) if i else None,
            "difference_interval": bootstrap.interval_of(drawn[:, i] - drawn[:, 0], count) if i else None,
        }
        for i, name in enumerate(names)
    }


def referral(
    uncertainty: Floats, wrong: Wrong, patients: NDArray[np.str_], level: float, seed: int = 0
) -> dict[str, Any]:
    """What it takes for the cases not handed over to be right at least at `level`.

    threshold: cases above it are handed over; share_referred, accuracy_of_rest, n_rest: here, where it was chosen.
    across: share_referred and accuracy_of_rest with thresholds chosen on the other half of the patients (a half
    that reaches the level nowhere hands everything over). unavailable: why there is no threshold, else None.
    """
    threshold = referral_threshold(uncertainty, wrong, level)
    if threshold is None:
        nothing = dict.fromkeys(("threshold", "share_referred", "accuracy_of_rest", "n_rest", "across"))
        why = f"no {MINIMUM_KEPT} most certain photographs are right at {level:.0%}"
        return {"level": level, **nothing, "unavailable": why}
    kept = uncertainty <= threshold
    return {
        "level": level,
        "threshold": threshold,
        **_outcome(kept, wrong),
        "n_rest": int(kept.sum()),
        "across": _across(uncertainty, wrong, patients, level, seed),
        "unavailable": None,
    }


def referral_threshold(uncertainty: Floats, wrong: Wrong, level: float) -> float | None:
    """The largest uncertainty up to which at least MINIMUM_KEPT cases are right at `level`; None for none."""
    kept, errors = (side[0] for side in _cumulated(uncertainty, wrong, None))
    good = np.flatnonzero((kept >= MINIMUM_KEPT) & (kept - errors >= level * kept * (1 - 1e-12)))
    return float(np.unique(uncertainty)[good[-1]]) if len(good) else None


def _across(
    uncertainty: Floats, wrong: Wrong, patients: NDArray[np.str_], level: float, seed: int
) -> dict[str, Any] | None:
    names, patient = np.unique(patients, return_inverse=True)
    if len(names) < 2:
        return None
    first = numpy_generator(seed, "referral-halves").permutation(len(names)) < len(names) // 2
    kept = np.zeros(len(wrong), dtype=bool)
    for half in (first[patient], ~first[patient]):
        chosen = referral_threshold(uncertainty[half], wrong[half], level)
        kept |= ~half & (uncertainty <= (-np.inf if chosen is None else chosen))
    return _outcome(kept, wrong)


def _outcome(kept: NDArray[np.bool_], wrong: Wrong) -> dict[str, Any]:
    right = float((~wrong[kept]).mean()) if kept.any() else None
    return {"share_referred": float(1.0 - kept.mean()), "accuracy_of_rest": right}


def _cumulated(uncertainty: Floats, wrong: Wrong, weights: Floats | None) -> tuple[Floats, Floats]:
    """(R, G) cases and errors up to each distinct uncertainty, from the most certain on."""
    order = np.argsort(uncertainty, kind="stable")
    starts = np.unique(uncertainty[order], return_index=True)[1]
    weight = np.ones((1, len(wrong))) if weights is None else weights[:, order]
    cases = np.add.reduceat(weight, starts, axis=1)
    errors = np.add.reduceat(weight * wrong[order], starts, axis=1)
    return cases.cumsum(axis=1), errors.cumsum(axis=1)
