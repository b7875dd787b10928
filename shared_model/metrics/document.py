"""`metrics.json` from predictions: the figures of each model and the differences between models.

The document is a contract that scripts rely on, so its shape never depends on the data: what cannot be
computed is None, never absent and never NaN, and `unavailable` beside it says why. `schema` names the shape's
version; docs/metrics.md describes every key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared_model.errors import DataError
from shared_model.metrics import bootstrap, retrieval
from shared_model.metrics.grading import confusion_matrix, figures
from shared_model.metrics.predictions import INPUTS, MISSING, PROTOCOLS, Predictions, aligned, present
from shared_model.metrics.referable import referable_figures
from shared_model.records import TASKS

SCHEMA = "fedfundus.metrics/2"
EVERY_SITE = "all"
_BETWEEN_GRADES = (
    "quadratic_weighted_kappa",
    "balanced_accuracy",
)  # mean nothing where one grade is all there is
LOCAL = "local:"
KAPPA = "quadratic_weighted_kappa"
PROTOCOL_LABELS = {
    "unimodal": "each side encoded alone, as in a search: the headline",
    "paired": "conditioned on the pair: not a retrieval system",
}


def model_figures(
    predictions: Predictions, sites: Sequence[str], resamples: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """`models.X` of the document: the figures over all sites and those of each site's own samples.

    Per task the figures with all inputs, their intervals and the same by_input; retrieval per protocol, in both
    directions.
    Raises DataError when a site is called "all", which is the name of their sum.
    """
    if EVERY_SITE in sites:
        raise DataError(f'a site is called "{EVERY_SITE}"', where="centre names", fix="rename that centre")
    groups = {
        EVERY_SITE: predictions,
        **{site: predictions.select(predictions.site == site) for site in sites},
    }
    return {
        name: {
            **{task: _task_figures(group, task, resamples, seed) for task in TASKS},
            "retrieval": {p: _retrieval(group, p, resamples, seed) for p in PROTOCOLS},
        }
        for name, group in groups.items()
    }


def majority_predictions(
    predictions: Predictions, class_counts: Mapping[str, Sequence[int] | NDArray[np.int64]]
) -> Predictions:
    """The floor: whatever it is given, the most frequent grade of the training patients' labels.

    class_counts: task -> how often each grade occurs in training. Its probabilities are those frequencies, so
    that it is the best guess without any input; of two equally frequent grades it takes the lower. A task
    without a training label has no prediction. It holds no embeddings.
    """
    return Predictions(
        record=predictions.record,
        patient=predictions.patient,
        site=predictions.site,
        truth=predictions.truth,
        probabilities={
            task: {given: _constant(probability, class_counts[task]) for given, probability in inputs.items()}
            for task, inputs in predictions.probabilities.items()
        },
        note=predictions.note,
        embeddings={},
        attributes=predictions.attributes,
    )


def comparisons(
    models: Mapping[str, Predictions], sites: Sequence[str], resamples: int = 1000, seed: int = 0
) -> list[dict[str, Any]]:
    """`comparisons` of the document: paired differences of the quadratic weighted kappa, ICDR and SDRG.

    models: "federated", and of "pooled" and "local:SITE" those that exist, all over the same records (their
    order may differ). The federated model is set against the mean of the local ones and against the pooled
    one (all inputs, and the photograph alone), against each local model on that site's own patients, and its
    photograph-only grading against its own note-only and structured-only grading.
    """
    reference = models["federated"]
    same = {name: aligned(model, reference) for name, model in models.items()}
    found = [contrast for task in TASKS for contrast in _contrasts(task, same, sites)]
    return [_difference(same, contrast, resamples, seed) for contrast in found]


@dataclass(frozen=True)
class _Contrast:
    """The federated model given `input` against the mean of the models `others` given `input_b`."""

    task: str
    b: str
    others: Sequence[str]
    input: str
    input_b: str
    on: str = EVERY_SITE


def _contrasts(task: str, models: Mapping[str, Predictions], sites: Sequence[str]) -> list[_Contrast]:
    local = [name for name in models if name.startswith(LOCAL)]
    others = {"mean(local)": local, "pooled": ["pooled"] if "pooled" in models else []}
    return [
        *(_Contrast(task, b, names, i, i) for b, names in others.items() if names for i in ("all", "image")),
        *(_Contrast(task, "federated", ["federated"], "image", given) for given in ("note", "structured")),
        *(_Contrast(task, b, [b], "all", "all", s) for s in sites if (b := LOCAL + s) in models),
    ]


def _task_figures(group: Predictions, task: str, resamples: int, seed: int) -> dict[str, Any]:
    by_input = {given: _input_figures(group, task, given, resamples, seed) for given in INPUTS}
    return {**by_input["all"], "by_input": by_input}


def _input_figures(group: Predictions, task: str, given: str, resamples: int, seed: int) -> dict[str, Any]:
    truth, predicted = group.labels(task), group.predicted(task, given)
    intervals = bootstrap.intervals(truth, predicted, group.patient, resamples, seed)
    known = (truth != MISSING) & (predicted != MISSING)
    found = figures(confusion_matrix(truth, predicted))
    reasons = []
    if not known.any():
        reasons.append(group.why_ungraded(task, given))
    elif len(np.unique(truth[known])) == 1:
        reasons.append("only one grade occurs")
        found |= dict.fromkeys(_BETWEEN_GRADES)
        intervals |= dict.fromkeys(_BETWEEN_GRADES)
    if known.any() and len(np.unique(group.patient[known])) == 1:
        reasons.append("a single patient: no intervals")
    return {
        **found,
        "intervals": intervals,
        "referable": referable_figures(group, task, given, resamples, seed),
        "unavailable": "; ".join(reasons) or None,
    }


def _retrieval(group: Predictions, protocol: str, resamples: int, seed: int) -> dict[str, Any]:
    directions = {"text_to_image": retrieval.text_to_image, "image_to_text": retrieval.image_to_text}
    label = {"label": PROTOCOL_LABELS[protocol]}
    notes = group.note[group.note >= 0]
    if protocol not in group.embeddings:
        why = "there are no vectors"
    else:
        why = "fewer than two records have a note" if len(notes) < 2 else "a vector is not a number"
        pair = group.embeddings[protocol]
        found = {
            # Alone, a note has one embedding; beside a photograph, as many as it has photographs.
            name: direction(
                pair["image"],
                pair["text"],
                group.note,
                one_text_per_note=protocol == "unimodal",
                patient=group.patient,
                resamples=resamples,
                seed=seed,
            )
            for name, direction in directions.items()
        }
        if all(found.values()):
            return {**label, **found}
    nothing = retrieval.unavailable(len(notes), len(np.unique(notes)), why=why)
    return {**label, **dict.fromkeys(directions, nothing)}


def _constant(like: NDArray[np.float32], counts: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float32]:
    count = np.asarray(counts, dtype=np.float64)
    share = count / count.sum() if count.sum() > 0 else np.full(len(count), np.nan)
    return np.where(present(like)[:, None], share, np.nan).astype(np.float32)


def _difference(
    models: Mapping[str, Predictions], contrast: _Contrast, resamples: int, seed: int
) -> dict[str, Any]:
    federated, task = models["federated"], contrast.task
    here = (federated.site == contrast.on) | (contrast.on == EVERY_SITE)
    difference = bootstrap.paired_difference(
        federated.labels(task)[here],
        federated.predicted(task, contrast.input)[here],
        [models[name].predicted(task, contrast.input_b)[here] for name in contrast.others],
        federated.patient[here],
        KAPPA,
        resamples=resamples,
        seed=seed,
    )
    named = {"a": "federated", "b": contrast.b, "on": contrast.on, "task": task}
    return {**named, "input": contrast.input, "input_b": contrast.input_b, "metric": KAPPA, **difference}
