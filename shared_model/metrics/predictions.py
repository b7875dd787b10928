"""What one model said about one split, sample by sample: the only input of every figure that is reported.

Inference fills this once per model; grading, retrieval and the bootstrap read it and never see a model. A
missing label is -1 and a missing input a row of NaN, so that nothing absent is ever counted as a mistake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_model.records import GRADES, TASKS

# What a model is given, and the modalities it then reads; "all" is whatever a sample has.
INPUT_MODALITIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "image": ("image",),
        "note": ("text",),
        "structured": ("structured",),
        "image_note": ("image", "text"),
        "image_structured": ("image", "structured"),
    }
)
# "all" and "note" again with the sentences that state the grade left in: what the masking is measured against.
UNMASKED = ("note_unmasked", "all_unmasked")
INPUTS = (*INPUT_MODALITIES, "all", *UNMASKED)
PROTOCOLS = ("unimodal", "paired")
MISSING = -1

Labels = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Predictions:
    """N samples of one model on one split, in any order.

    record, patient, site: (N,) text.
    truth: task -> (N,) grades, -1 where the label is missing.
    probabilities: task -> input of INPUTS -> (N, 5); a row of NaN where the sample lacks any modality of it.
    note: (N,) id of the sample's full note (equal notes, equal ids), -1 where it has none.
    embeddings: protocol -> "image" and "text" -> (N, D); rows without a note are ignored. May be empty.
    attributes: of subgroups.ATTRIBUTES those that are known -> (N,) text, "" where missing. May be empty.

    Raises ValueError naming the field whose shape, type or range does not fit.
    """

    record: NDArray[np.str_]
    patient: NDArray[np.str_]
    site: NDArray[np.str_]
    truth: dict[str, Labels]
    probabilities: dict[str, dict[str, NDArray[np.float32]]]
    note: Labels
    embeddings: dict[str, dict[str, NDArray[np.float32]]]
    attributes: dict[str, NDArray[np.str_]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("record", "patient", "site", "note"):
            _check_shape(name, getattr(self, name), (len(self.record),))
        _check_ids(self.note)
        for task in self.truth:
            self._check_task(task)
        if set(self.probabilities) != set(self.truth):
            raise ValueError(
                f"probabilities are for {sorted(self.probabilities)}, truth for {sorted(self.truth)}"
            )
        for protocol, pair in self.embeddings.items():
            self._check_embeddings(protocol, pair)
        for name, values in self.attributes.items():
            _check_shape(f"attributes[{name}]", values, (len(self),))

    def __len__(self) -> int:
        return len(self.record)

    def predicted(self, task: str, given: str) -> Labels:
        """(N,) most probable grade of `task` from the input `given`; -1 where the sample lacks that input, and
        throughout where nothing was predicted from it.
        """
        if given not in self.probabilities.get(task, {}):
            return np.full(len(self), MISSING, dtype=np.int64)
        probability = self.probabilities[task][given]  # (N, 5)
        known = present(probability)
        grade = np.argmax(np.where(known[:, None], probability, 0.0), axis=1)
        return np.where(known, grade, MISSING).astype(np.int64)

    def labels(self, task: str) -> Labels:
        """(N,) grades of `task`, -1 where missing, as throughout where the task has no labels."""
        return self.truth.get(task, np.full(len(self), MISSING, dtype=np.int64))

    def scores(self, task: str, given: str) -> NDArray[np.float64]:
        """(N, 5) probabilities of `task` from the input `given`, NaN where nothing was predicted from it."""
        found = self.probabilities.get(task, {}).get(given)
        return np.full((len(self), GRADES), np.nan) if found is None else found.astype(np.float64)

    def why_ungraded(self, task: str, given: str) -> str:
        """Why not one sample has both a label and a prediction of `task` from the input `given`."""
        if not len(self):
            return "there are no records"
        if (self.labels(task) == MISSING).all():
            return "no record has a label"
        if present(self.scores(task, given)).any():
            return "no record has both a label and this input"
        return "no score is a number" if self.broken(task).all() else "no record has this input"

    def broken(self, task: str) -> NDArray[np.bool_]:
        """(N,) whether a score that has to be there is not a number: of all inputs, or of the photograph, which every
        record has, unless the model reads none.
        """
        everything, image = present(self.scores(task, "all")), present(self.scores(task, "image"))
        if "all" not in self.probabilities.get(task, {}):
            everything = np.ones(len(self), dtype=bool)
        found: NDArray[np.bool_] = ~(everything & image) if image.any() else ~everything
        return found

    def select(self, mask: NDArray[np.bool_] | NDArray[np.int64]) -> Predictions:
        """The samples that `mask` names, as a boolean mask (N,) or as positions in the order wanted."""
        return Predictions(**{f.name: _take(getattr(self, f.name), mask) for f in fields(self)})

    def _check_task(self, task: str) -> None:
        if task not in TASKS:
            raise ValueError(f"truth has the task {task!r}; the tasks are {TASKS}")
        label = self.truth[task]
        _check_shape(f"truth[{task}]", label, (len(self),))
        if label.dtype.kind != "i" or (len(label) and not (label.min() >= MISSING and label.max() < GRADES)):
            raise ValueError(f"truth[{task}] must hold integers from -1 (missing) to {GRADES - 1}")
        for given, probability in self.probabilities.get(task, {}).items():
            if given not in INPUTS:
                raise ValueError(f"probabilities[{task}] has the input {given!r}; the inputs are {INPUTS}")
            _check_shape(f"probabilities[{task}][{given}]", probability, (len(self), GRADES))

    def _check_embeddings(self, protocol: str, pair: Mapping[str, NDArray[np.float32]]) -> None:
        if protocol not in PROTOCOLS or set(pair) != {"image", "text"}:
            raise ValueError(
                f"embeddings[{protocol}] holds {sorted(pair)}; expected image and text of {PROTOCOLS}"
            )
        width = pair["image"].shape[-1] if pair["image"].ndim else 0
        for side, embedding in pair.items():
            _check_shape(f"embeddings[{protocol}][{side}]", embedding, (len(self), width))


def concatenate(parts: Sequence[Predictions]) -> Predictions:
    """One Predictions of all samples of `parts`, in order (sites, or the folds of a cross-validation).

    Note ids must mean the same note in every part. Raises ValueError when there is no part or when the parts
    do not hold the same tasks, inputs and protocols.
    """
    if not parts:
        raise ValueError("nothing to concatenate")
    return Predictions(
        **{f.name: _join(f.name, [getattr(part, f.name) for part in parts]) for f in fields(Predictions)}
    )


def present(probability: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.bool_]:
    """(N,) whether each row of (N, 5) probabilities is there at all."""
    known: NDArray[np.bool_] = np.isfinite(probability.sum(axis=1))
    return known


def aligned(other: Predictions, reference: Predictions) -> Predictions:
    """`other` in the order of `reference`, so that two models can be compared sample by sample.

    Raises ValueError when they do not hold the same records, each once.
    """
    order, wanted = np.argsort(other.record, kind="stable"), np.argsort(reference.record, kind="stable")
    same = len(other) == len(reference) and bool((other.record[order] == reference.record[wanted]).all())
    if not same or len(np.unique(reference.record)) != len(reference):
        raise ValueError("the two models were not evaluated on the same records, each once")
    position = np.empty(len(other), dtype=np.int64)
    position[wanted] = order
    return other.select(position)


def _take(value: Any, index: NDArray[np.bool_] | NDArray[np.int64]) -> Any:
    if isinstance(value, dict):
        return {key: _take(inner, index) for key, inner in value.items()}
    return value[index]


def _join(name: str, values: Sequence[Any]) -> Any:
    if not isinstance(values[0], dict):
        return np.concatenate(values)
    if any(set(value) != set(values[0]) for value in values):
        raise ValueError(f"the parts do not hold the same {name}: {[sorted(value) for value in values]}")
    return {key: _join(f"{name}[{key}]", [value[key] for value in values]) for key in values[0]}


def _check_shape(name: str, value: NDArray[Any], shape: tuple[int, ...]) -> None:
    if value.shape != shape:
        raise ValueError(f"{name} has the shape {value.shape}; expected {shape}")


def _check_ids(note: Labels) -> None:
    if note.dtype.kind != "i" or (len(note) and note.min() < MISSING):
        raise ValueError("note must hold integer ids from 0, or -1 for a sample without a note")
