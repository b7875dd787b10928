from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from client.data.dataset import SiteDataset
from client.data.images import ImageStore
from client.inference.predict import predict
from shared_model.losses import Objective
from shared_model.metrics.predictions import INPUT_MODALITIES, Predictions
from shared_model.metrics.retrieval import text_to_image
from shared_model.model import FusionModel, Tokenizer
from shared_model.statistics import Standardisation

TEXT_SIDE = ["note", "masked_note"]


@pytest.fixture(scope="module")
def model(small_objective: Callable[..., Objective]) -> FusionModel:
    """Random weights, with a modality type large enough for attention to matter."""
    return small_objective(seed=5).model


def predicted(
    model: FusionModel, dataset: SiteDataset, batch_size: int, mask_notes: bool = True
) -> Predictions:
    rows = np.arange(len(dataset))
    return predict(model, dataset, rows, {}, mask_notes=mask_notes, batch_size=batch_size)


@pytest.mark.parametrize("batch_size", [1, 80])
def test_unimodal_retrieval_ignores_the_paired_image(
    batch_size: int,
    model: FusionModel,
    dataset: SiteDataset,
    records: pd.DataFrame,
    images: ImageStore,
    tokenizer: Tokenizer,
    standardisation: Standardisation,
) -> None:
    """The leak guard: put another photograph beside every text, and no unimodal vector changes by one bit."""
    order = np.random.default_rng(3).permutation(len(records))
    shuffled = records.copy()
    shuffled["record_id"] = records["record_id"].to_numpy()[order]  # row i now holds photograph order[i]
    honest = predicted(model, dataset, batch_size)
    leaky = predicted(model, SiteDataset(shuffled, images, tokenizer, standardisation), batch_size)
    back = np.argsort(order)
    a, b = honest.embeddings, leaky.embeddings
    assert np.array_equal(a["unimodal"]["text"], b["unimodal"]["text"])
    assert np.array_equal(a["unimodal"]["image"], b["unimodal"]["image"][back])
    noted = honest.note >= 0
    assert not np.allclose(a["paired"]["text"][noted], b["paired"]["text"][noted], atol=1e-5)
    assert not np.allclose(a["paired"]["image"][noted], b["paired"]["image"][back][noted], atol=1e-5)
    figures = [
        text_to_image(image, e["unimodal"]["text"], honest.note)
        for e, image in ((a, a["unimodal"]["image"]), (b, b["unimodal"]["image"][back]))
    ]
    assert figures[0] == figures[1]


def test_equal_notes_have_one_vector_and_absent_ones_none(model: FusionModel, dataset: SiteDataset) -> None:
    found = predicted(model, dataset, 7)
    text = found.embeddings["unimodal"]["text"]
    for note in np.unique(found.note[found.note >= 0]):
        assert len(np.unique(text[found.note == note], axis=0)) == 1
    assert (found.note == -1).any()
    assert (text[found.note == -1] == 0).all()
    assert len(np.unique(text[found.note >= 0], axis=0)) == len(np.unique(found.note[found.note >= 0]))


def test_what_is_predicted_does_not_depend_on_the_batches(model: FusionModel, dataset: SiteDataset) -> None:
    a, b = predicted(model, dataset, 7), predicted(model, dataset, 64)
    for task, by_input in a.probabilities.items():
        for given, probability in by_input.items():
            np.testing.assert_allclose(probability, b.probabilities[task][given], atol=1e-5)


def test_each_input_is_graded_by_itself_and_absent_ones_are_nan(
    model: FusionModel, dataset: SiteDataset
) -> None:
    found = predicted(model, dataset, 16)
    batch = dataset.batch(np.arange(len(dataset)))
    values = {"image": batch.image, "text": batch.masked_note, "structured": batch.structured}
    for given, names in INPUT_MODALITIES.items():
        encoding = model.encode(**{name: values[name] for name in names})
        here = np.all([batch.present[name].numpy() for name in names], axis=0)
        for task in ("icdr", "sdrg"):
            probability = found.probabilities[task][given]
            assert np.isnan(probability[~here]).all()
            expected = torch.softmax(model.grade(encoding)[task], dim=1).detach().numpy()
            np.testing.assert_allclose(probability[here], expected[here], atol=1e-5)
    for task in ("icdr", "sdrg"):
        everything = found.probabilities[task]["all"]
        assert np.allclose(everything.sum(axis=1), 1, atol=1e-5)


def test_every_encoder_reads_a_batch_once_whatever_the_number_of_inputs(
    model: FusionModel, dataset: SiteDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Encoders are the cost; the note is read twice a batch, masked and whole, and once more for its vector."""
    calls: Counter[str] = Counter()
    for name in ("image_encoder", "text_encoder", "structured_encoder"):
        module = getattr(model, name)

        def counted(*inputs: Any, name: str = name, forward: Any = module.forward) -> Any:
            calls[name] += 1
            return forward(*inputs)

        monkeypatch.setattr(module, "forward", counted)
    predicted(model, dataset, len(dataset))
    assert calls == {"image_encoder": 1, "text_encoder": 3, "structured_encoder": 1}


def test_grading_reads_masked_notes_unless_told_otherwise(model: FusionModel, dataset: SiteDataset) -> None:
    masked, full = predicted(model, dataset, 80), predicted(model, dataset, 80, mask_notes=False)
    states = (dataset.table["note"] != dataset.table["masked_note"]).to_numpy() & (masked.note >= 0)
    assert states.any()
    a, b = masked.probabilities["icdr"]["note"], full.probabilities["icdr"]["note"]
    assert not np.isclose(a[states], b[states], atol=1e-6).all(axis=1).any()
    np.testing.assert_allclose(a[~states], b[~states], atol=1e-5)
    assert np.array_equal(masked.embeddings["unimodal"]["text"], full.embeddings["unimodal"]["text"])


def test_truth_and_names_follow_the_rows_asked_for(model: FusionModel, dataset: SiteDataset) -> None:
    rows = dataset.rows_of("test")[::-1].copy()
    patients = dataset.table["patient_id"]
    site_of = {patient: f"site {patient}" for patient in set(patients[rows[:4]])}
    found = predict(model, dataset, rows, site_of, mask_notes=True, batch_size=4)
    assert found.record.tolist() == dataset.table["record_id"].iloc[rows].tolist()
    assert found.truth["icdr"].tolist() == dataset.labels["icdr"][rows].tolist()
    assert [site or None for site in found.site] == [site_of.get(p) for p in patients.iloc[rows]]


def test_nobody_to_predict_for_is_no_error(model: FusionModel, dataset: SiteDataset) -> None:
    found = predict(model, dataset, np.array([], dtype=np.int64), {}, mask_notes=True, batch_size=4)
    assert len(found) == 0
    assert found.predicted("icdr", "all").shape == (0,)


def test_unmasked_grades_are_those_of_the_whole_note(model: FusionModel, dataset: SiteDataset) -> None:
    masked, full = predicted(model, dataset, 80), predicted(model, dataset, 80, mask_notes=False)
    for task in ("icdr", "sdrg"):
        for given in ("note", "all"):
            np.testing.assert_allclose(
                masked.probabilities[task][f"{given}_unmasked"], full.probabilities[task][given], atol=1e-5
            )


def test_attributes_follow_the_rows(model: FusionModel, dataset: SiteDataset) -> None:
    found = predicted(model, dataset, 16)
    assert set(found.attributes) == {"sex", "age", "camera", "eye"}
    assert set(found.attributes["eye"]) <= {"right", "left", ""}
    assert found.select(np.array([3])).attributes["camera"].tolist() == [dataset.table["camera"].iloc[3]]


def test_a_set_without_any_note_is_predicted(
    model: FusionModel,
    records: pd.DataFrame,
    images: ImageStore,
    tokenizer: Tokenizer,
    standardisation: Standardisation,
) -> None:
    bare = records.copy()
    bare[TEXT_SIDE] = np.nan
    found = predicted(model, SiteDataset(bare, images, tokenizer, standardisation), 16)
    assert (found.note == -1).all()
    assert np.isnan(found.probabilities["icdr"]["note"]).all()
    assert (
        text_to_image(found.embeddings["unimodal"]["image"], found.embeddings["unimodal"]["text"], found.note)
        is None
    )
