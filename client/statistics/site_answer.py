"""A site's answer to round 0, as it leaves: the one function behind the worker's answer and behind `describe`.

Training patients only. What the policy refuses is absent and said to be; what rests on few patients is merged
or withheld (merging), or everything carries noise instead (noise).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

from client.data.images import ImageStore
from client.statistics.channels import channel_means, channel_sums, held_positions
from client.statistics.merging import MISSING, hold_back, merge, patients_may_be_told
from client.statistics.noise import noisy_counts, noisy_photographs, noisy_table
from client.statistics.policy import GROUPS, Policy
from client.statistics.tables import TABLES, Training, asked, cells_of
from shared_model.records import FINDINGS, TASKS
from shared_model.statistics import (
    FLAGS,
    YEARS,
    Counts,
    Photographs,
    SiteStatistics,
    Years,
    schema_fingerprint,
)


def site_answer(
    table: pd.DataFrame,
    images: ImageStore | None,
    policy: Policy,
    *,
    key: bytes = b"",
    withheld: Collection[str] = (),
) -> dict[str, Any]:
    """The message of round 0 (shared_model.statistics.SiteStatistics as a plain dictionary).

    table: canonical records with their `split`. images: the store that holds their photographs, those not in it
    being left out. key: the site's secret that orders who is held back. withheld: tables that could be subtracted
    from what was told before (client.statistics.answers). The same data give the same answer, unless the policy
    adds noise; who asks for noise charges it first.
    """
    training = Training.of(table, key)
    parts = _Noisy(training, images, policy) if policy.epsilon else _Plain(training, images, policy)
    found: dict[str, Any] = {name: parts.table(name) for name in asked(policy.answer)}
    if "records" in policy.answer:
        found |= {"records": parts.records(), "patients": parts.patients()}
    if "image_channels" in policy.answer:
        found["image_channels"] = "no_photographs" if images is None else parts.photographs(images)
    return _message(found | dict.fromkeys(withheld, "few_changed"), policy)


class _Plain:
    """Exact figures, small ones merged or withheld: a figure, or the reason why there is none."""

    def __init__(self, training: Training, images: ImageStore | None, policy: Policy) -> None:
        self._training = training
        self._minimum = policy.minimum_cell if policy.merges else 0

    def records(self) -> int | str:
        return len(self._training.rows) if self._enough(self._training.count) else "too_few_patients"

    def patients(self) -> int | str:
        if not self._enough(self._training.count):
            return "too_few_patients"
        told = patients_may_be_told(self._training.patients, self._minimum)
        return self._training.count if told else "small_difference"

    def table(self, name: str) -> Counts | Years | int | str:
        codes = self._held_back(self._training.codes(name))
        counts = merge(codes, self._training.patients, cells_of(name), self._minimum)
        if counts is None:
            return "too_few_patients"
        if name == "notes":
            return counts.total
        return self._years(name, counts) if name in YEARS else counts

    def photographs(self, images: ImageStore) -> Photographs | str:
        positions = held_positions(images, [str(record) for record in self._training.rows["record_id"]])
        positions = self._held_back(positions)
        held = positions != MISSING
        if not self._enough(len(np.unique(self._training.patients[held]))):
            return "too_few_patients"
        return channel_sums(images, positions[held])

    def _enough(self, patients: int) -> bool:
        return patients >= self._minimum

    def _held_back(self, codes: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, np.dtype[np.int64]]:
        return hold_back(codes, self._training.patients, self._training.order, self._minimum)

    def _years(self, name: str, counts: Counts) -> Years:
        if self._minimum:
            return Years(counts)
        values = self._training.rows[name].dropna().to_numpy(dtype=np.float64)
        return Years(counts, float(values.sum()), float((values * values).sum()))


class _Noisy:
    """Noise on everything: one photograph a patient enters each table, and the budget is shared evenly."""

    def __init__(self, training: Training, images: ImageStore | None, policy: Policy) -> None:
        self._training = training
        colours = images is not None and "image_channels" in policy.answer
        questions = len(asked(policy.answer)) + ("records" in policy.answer) + colours
        self._budget = policy.epsilon / max(1, questions)

    def records(self) -> str:
        return "noise"

    def patients(self) -> int:
        return noisy_counts(np.array([self._training.count]), self._budget)[0]

    def table(self, name: str) -> Counts | Years | int:
        codes = self._training.codes(name)
        chosen = self._training.first_of_each(np.flatnonzero(codes != MISSING))
        own = codes[chosen[chosen != MISSING]]
        counts = noisy_table(own, cells_of(name), self._budget)
        if name == "notes":
            return counts.total
        return Years(counts) if name in YEARS else counts

    def photographs(self, images: ImageStore) -> Photographs:
        positions = held_positions(images, [str(record) for record in self._training.rows["record_id"]])
        chosen = self._training.first_of_each(np.flatnonzero(positions != MISSING))
        means = channel_means(images, positions[chosen[chosen != MISSING]])
        return noisy_photographs(means, images.size**2, self._budget)


def _message(found: Mapping[str, Any], policy: Policy) -> dict[str, Any]:
    absent = {name: "refused" for name in _names() if name not in found}
    absent |= {name: item for name, item in found.items() if isinstance(item, str)}
    told = {name: None if name in absent else found[name] for name in _names()}
    return SiteStatistics(
        schema=schema_fingerprint(),
        minimum=policy.minimum_cell,
        epsilon=policy.epsilon,
        records=told["records"],
        patients=told["patients"],
        notes=told["notes"],
        years={name: told[name] for name in YEARS},
        flags={name: told[name] for name in FLAGS},
        classes={task: told[task] for task in TASKS},
        findings={name: told[f"finding_{name}"] for name in FINDINGS},
        photographs=told["image_channels"],
        absent=absent,
    ).to_dict()


def _names() -> tuple[str, ...]:
    return ("records", "patients", *TABLES, "image_channels")


def restricted(answer: Mapping[str, Any], policy: Policy) -> dict[str, Any]:
    """A stored answer without what the policy no longer answers."""
    told = SiteStatistics.from_dict(answer)
    groups = {**TABLES, "records": "records", "patients": "records", "image_channels": "image_channels"}
    if all(groups[name] in policy.answer or item is None for name, item in told.items().items()):
        return dict(answer)
    kept = {name: told.absent.get(name, item) for name, item in told.items().items()}
    allowed = {name: item for name, item in kept.items() if groups[name] in policy.answer}
    return _message(allowed, Policy(told.minimum, policy.answer & set(GROUPS), told.epsilon))
