"""Retrieval against a brute-force count, on ties, duplicates, noise and a collapsed model."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from shared_model.metrics.retrieval import text_to_image

CASES = 200
Vectors = NDArray[np.float32]


def brute_force(image: Vectors, text: Vectors, note: NDArray[np.int64], k: int) -> tuple[float, float]:
    """Recall and ceiling at k by counting, one query and one photograph at a time."""
    kept = [i for i in range(len(note)) if note[i] >= 0]
    image, text = image.astype(float), text.astype(float)
    recall, ceiling = [], []
    for query in kept:
        cosine = [
            image[i] @ text[query] / (np.linalg.norm(image[i]) * np.linalg.norm(text[query])) for i in kept
        ]
        own = round(cosine[kept.index(query)], 10)
        better = sum(round(other, 10) > own for other in cosine)
        tied = sum(round(other, 10) == own for other in cosine)
        recall.append(min(max(k - better, 0), tied) / tied)
        same = sum(note[i] == note[query] for i in kept)
        ceiling.append(min(k, same) / same)
    return float(np.mean(recall)), float(np.mean(ceiling))


def random_case(seed: int) -> tuple[Vectors, Vectors, NDArray[np.int64]]:
    """Few distinct photographs and notes, so that ties and duplicates are the rule."""
    generator = np.random.default_rng(seed)
    size, width = int(generator.integers(2, 30)), int(generator.integers(2, 6))
    photographs = generator.normal(size=(int(generator.integers(1, 12)), width)).astype(np.float32)
    notes = generator.normal(size=(int(generator.integers(1, 9)), width)).astype(np.float32)
    note = generator.integers(-1, len(notes), size)
    return photographs[generator.integers(len(photographs), size=size)], notes[note], note


def test_recall_and_ceiling_agree_with_brute_force_on_random_cases_with_ties() -> None:
    for seed in range(CASES):
        image, text, note = random_case(seed)
        found = text_to_image(image, text, note)
        if (note >= 0).sum() < 2:
            assert found is None
            continue
        assert found["n"] == (note >= 0).sum()
        assert found["unique_notes"] == len(set(note[note >= 0]))
        assert found["chance_at_1"] == pytest.approx(1 / found["n"])
        for k in (1, 5, 10):
            recall, ceiling = brute_force(image, text, note, k)
            assert found[f"recall_at_{k}"] == pytest.approx(recall)
            assert found[f"ceiling_at_{k}"] == pytest.approx(ceiling)


def test_a_perfect_encoder_reaches_exactly_the_ceiling() -> None:
    generator = np.random.default_rng(0)
    note = generator.integers(0, 12, 200)
    ideal = generator.normal(size=(12, 32)).astype(np.float32)[note]
    found = text_to_image(ideal, ideal, note)
    for k in (1, 5, 10):
        assert found[f"recall_at_{k}"] == pytest.approx(found[f"ceiling_at_{k}"])


def test_noise_is_near_chance_and_never_above_the_ceiling() -> None:
    recalls = []
    for seed in range(30):
        generator = np.random.default_rng(seed)
        note = generator.integers(0, 5, 300)
        image = generator.normal(size=(300, 64)).astype(np.float32)
        text = generator.normal(size=(5, 64)).astype(np.float32)[note]
        found = text_to_image(image, text, note)
        assert all(found[f"recall_at_{k}"] <= found[f"ceiling_at_{k}"] + 1e-12 for k in (1, 5, 10))
        recalls.append(found["recall_at_10"])
    assert np.mean(recalls) == pytest.approx(10 / 300, rel=0.2)


def test_rounding_between_batches_cannot_lift_a_note_above_its_ceiling() -> None:
    generator = np.random.default_rng(0)
    note = generator.integers(0, 5, 300)
    image = generator.normal(size=(300, 64)).astype(np.float32)
    text = generator.normal(size=(5, 64)).astype(np.float32)[note]
    wobbly = text + 1e-7 * generator.normal(size=text.shape).astype(np.float32)
    first = np.unique(note, return_index=True)[1][note]
    steady = text_to_image(image, wobbly[first], note)
    assert text_to_image(image, wobbly, note, one_text_per_note=True) == steady


def test_a_model_that_says_the_same_of_every_photograph_scores_chance() -> None:
    constant = np.ones((50, 8), dtype=np.float32)
    found = text_to_image(constant, constant, np.arange(50))
    assert found["recall_at_1"] == pytest.approx(1 / 50)
    assert found["recall_at_10"] == pytest.approx(10 / 50)


def test_the_order_of_the_samples_changes_nothing() -> None:
    image, text, note = random_case(7)
    order = np.random.default_rng(1).permutation(len(note))
    assert text_to_image(image[order], text[order], note[order]) == pytest.approx(
        text_to_image(image, text, note)
    )


def test_fewer_than_two_notes_or_broken_embeddings_give_nothing() -> None:
    image, text, note = np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32), np.array([0, -1, -1])
    assert text_to_image(image, text, note) is None
    assert text_to_image(image * np.nan, text, np.arange(3)) is None


def test_samples_without_a_note_may_hold_anything() -> None:
    image, text, note = np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32), np.array([0, 1, -1])
    text[2] = np.nan
    assert text_to_image(image, text, note)["recall_at_1"] == 1.0
