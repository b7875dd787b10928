"""What a centre would gain by taking part: two models on the same test patients, compared patient by patient.

The intervals of two kappas overlap long after their difference is certain; resampling the patients once for both
models says what can be said (shared_model.metrics.bootstrap).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared_model.config import Config
from shared_model.metrics.bootstrap import paired_difference
from shared_model.metrics.summary import NOT_AVAILABLE
from simulations.experiments import Result
from simulations.experiments.graded import GIVEN, read_graded

Differences = dict[str, dict[str, dict[str, Any] | None]]


def differences(one: Result, others: Mapping[str, Result], site: str, config: Config) -> Differences:
    """ICDR kappa of `one` minus that of each other model on a site's test patients: input -> name -> difference.

    A difference is as shared_model.metrics.bootstrap.paired_difference has it; None where a model failed.
    """
    return {
        given: {name: _difference(one, other, site, given, config) for name, other in others.items()}
        for given in GIVEN
    }


def difference_text(found: Mapping[str, Any] | None) -> str:
    """`-0.03 [-0.10, +0.05]`, or "not available"."""
    if found is None or found["difference"] is None:
        return NOT_AVAILABLE
    interval = found["interval"]
    shown = f" [{interval[0]:+.2f}, {interval[1]:+.2f}]" if interval else ""
    return f"{found['difference']:+.2f}{shown}"


def _difference(one: Result, other: Result, site: str, given: str, config: Config) -> dict[str, Any] | None:
    tables = [read_graded(result.folder) for result in (one, other) if not result.failed]
    if len(tables) < 2 or tables[0] is None or tables[1] is None:
        return None
    own = tables[0][tables[0]["site"] == site]
    both = own.merge(tables[1][["record", given]], on="record", suffixes=("", "_other"), validate="1:1")
    return paired_difference(
        both["truth"].to_numpy(),
        both[given].to_numpy(),
        [both[f"{given}_other"].to_numpy()],
        both["patient"].to_numpy(dtype=str),
        resamples=config.evaluation.resamples,
        seed=config.evaluation.bootstrap_seed,
    )
