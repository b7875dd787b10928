"""What a model says about records, from each input and from all: the one source of every reported figure.

Encoders are most of the work, so every modality is embedded once and only fusion runs anew for each input.
Unimodal vectors feed fusion one modality and nothing else, notes once for each distinct note, so that equal notes
tie exactly and no photograph can reach a note's vector. The grades with the whole note left in come out of the
very passes that retrieval needs, and so cost nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from client.data.dataset import SiteDataset
from client.training.full_precision import full_precision
from shared_model.losses import Batch
from shared_model.metrics.predictions import INPUT_MODALITIES, INPUTS, PROTOCOLS, Predictions
from shared_model.metrics.subgroups import attributes_of
from shared_model.model import FusionModel
from shared_model.model.fusion_model import Tokens
from shared_model.records import GRADES, TASKS

Floats = NDArray[np.float32]


@torch.no_grad()
@full_precision()
def predict(
    model: FusionModel,
    dataset: SiteDataset,
    rows: NDArray[np.int64],
    sites: Mapping[str, str],
    *,
    mask_notes: bool,
    batch_size: int,
    on_batch: Callable[[], None] = lambda: None,
) -> Predictions:
    """Predictions of `rows`, without those of which the model reads nothing. sites: patient to site name ("" for
    patients of none).
    """
    model.eval()
    device = next(model.parameters()).device
    rows = rows[dataset.readable()[rows]]
    parts: dict[str, list[Floats]] = defaultdict(list)
    notes = _note_vectors(model, dataset, rows, batch_size)
    for start in range(0, len(rows), batch_size):
        chosen = rows[start : start + batch_size]
        batch = dataset.batch(chosen).to(device)
        for key, value in _batch_outputs(model, batch, mask_notes).items():
            parts[key].append(value.float().cpu().numpy())
        group = dataset.note_group[torch.as_tensor(chosen)].numpy()
        for key, vectors in notes.items():
            parts[key].append(vectors[group])  # -1 reads the last row: zeros, or NaN where a grade would be
        on_batch()
    return _predictions(model, dataset, rows, sites, parts)


def _predictions(
    model: FusionModel,
    dataset: SiteDataset,
    rows: NDArray[np.int64],
    sites: Mapping[str, str],
    parts: Mapping[str, list[Floats]],
) -> Predictions:
    """parts: "TASK INPUT" or "PROTOCOL SIDE" -> the outputs of every batch."""
    table = dataset.table.iloc[rows]
    # Nobody to predict for is no error: arrays of no rows.
    whole: dict[str, Floats] = defaultdict(lambda: np.zeros((0, GRADES), dtype=np.float32))
    whole |= {key: np.concatenate(values) for key, values in parts.items()}
    return Predictions(
        record=table["record_id"].to_numpy(dtype=str),
        patient=table["patient_id"].to_numpy(dtype=str),
        site=np.array([sites.get(patient, "") for patient in table["patient_id"]], dtype=str),
        truth={task: dataset.labels[task].numpy()[rows] for task in TASKS},
        probabilities={task: {given: whole[f"{task} {given}"] for given in INPUTS} for task in TASKS},
        note=dataset.note_group.numpy()[rows],
        embeddings={
            protocol: {side: whole[f"{protocol} {side}"] for side in ("image", "text")}
            for protocol in (PROTOCOLS if {"image", "text"} <= set(model.config.inputs) else ())
        },
        attributes=attributes_of(table),
    )


def _batch_outputs(model: FusionModel, batch: Batch, mask_notes: bool) -> dict[str, Tensor]:
    graded = {
        "image": model.embed_image(batch.image, batch.image_trunk),
        "text": model.embed_text(batch.masked_note if mask_notes else batch.note),
        "structured": model.embed_structured(batch.structured),
    }
    full = {**graded, "text": model.embed_text(batch.note)} if mask_notes else graded
    found = _grades(model, "all", model.grade(model.fuse(graded, batch.present)))
    for given, modalities in INPUT_MODALITIES.items():
        found |= _from(model, given, {name: graded[name] for name in modalities}, batch.present)
    whole = model.fuse(full, batch.present)
    found |= _grades(model, "all_unmasked", model.grade(whole))
    return found | {f"paired {side}": whole.cls[side] for side in ("image", "text")}


def _from(
    model: FusionModel, given: str, embedded: Mapping[str, Tokens], present: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Grades from these modalities and no other, NaN for samples that lack one of them; for the photograph alone
    its unimodal vector as well.
    """
    complete = torch.stack([present[name] for name in embedded]).all(dim=0)
    device = complete.device
    nothing = torch.full((len(complete), GRADES), float("nan"), device=device)
    found = {f"{task} {given}": nothing.clone() for task in TASKS}
    if given == "image":
        found["unimodal image"] = torch.zeros(len(complete), model.config.fusion.width, device=device)
    here = complete.nonzero().squeeze(1)
    if len(here):
        encoding = model.fuse({n: Tokens(t.tokens[here], t.padding[here]) for n, t in embedded.items()})
        outputs = _grades(model, given, model.grade(encoding))
        for key, value in found.items():
            value[here] = outputs[key] if key in outputs else encoding.cls["image"]
    return found


def _grades(model: FusionModel, given: str, logits: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{task} {given}": torch.softmax(logits[task], dim=1) for task in TASKS}


def _note_vectors(
    model: FusionModel, dataset: SiteDataset, rows: NDArray[np.int64], batch_size: int
) -> dict[str, Floats]:
    """Unimodal vector and unmasked grades of every distinct note, by its group id; a last row of zeros, and of NaN,
    stands for "no note".
    """
    group = dataset.note_group.numpy()
    count = int(group.max(initial=-1)) + 2
    found = {f"{task} note_unmasked": np.full((count, GRADES), np.nan, dtype=np.float32) for task in TASKS}
    found["unimodal text"] = np.zeros((count, model.config.fusion.width), dtype=np.float32)
    ids, first = np.unique(group[rows], return_index=True)
    known = [(int(i), int(rows[f])) for i, f in zip(ids, first, strict=True) if i >= 0]
    for start in range(0, len(known), batch_size):
        part = known[start : start + batch_size]
        text = dataset.notes([row for _, row in part]).to(next(model.parameters()).device)
        encoding = model.fuse({"text": model.embed_text(text)})
        outputs = _grades(model, "note_unmasked", model.grade(encoding))
        for key, value in {**outputs, "unimodal text": encoding.cls["text"]}.items():
            found[key][[i for i, _ in part]] = value.float().cpu().numpy()
    return found
