"""Retrieval against a brute-force count, on ties, duplicates, noise and a collapsed model."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from shared_model.metrics.retrieval import image_to_text, text_to_image

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
    found = text_to_image(image, wobbly, note, one_text_per_note=True)
    for k in (1, 5, 10):  # said to be one query a note, hits of copies are known to come together
        assert found.pop(f"chance_interval_at_{k}") != steady.pop(f"chance_interval_at_{k}") or k == 1
    assert found == steady


def test_a_model_that_says_the_same_of_every_photograph_scores_chance() -> None:
    constant = np.ones((50, 8), dtype=np.float32)
    found = text_to_image(constant, constant, np.arange(50))
    assert found["recall_at_1"] == pytest.approx(1 / 50)
    assert found["recall_at_10"] == pytest.approx(10 / 50)


def test_the_order_of_the_samples_changes_nothing() -> None:
    image, text, note = random_case(7)
    order = np.random.default_rng(1).permutation(len(note))
    for direction in (text_to_image, image_to_text):
        found, again = (
            direction(image, text, note),
            direction(image[order], text[order], note[order]),
        )
        assert again.pop("equivalent") == pytest.approx(found.pop("equivalent"))
        for k in (1, 5, 10):
            assert again.pop(f"chance_interval_at_{k}") == found.pop(f"chance_interval_at_{k}")
        assert again.pop("intervals") == found.pop("intervals")
        assert again == pytest.approx(found)


def random_order_precision(relevant: int, n: int) -> float:
    """Mean average precision over every way in which `relevant` of n places can be the relevant ones."""
    found = []
    for places in itertools.combinations(range(1, n + 1), relevant):
        found.append(np.mean([(i + 1) / place for i, place in enumerate(places)]))
    return float(np.mean(found))


def equivalents_by_force(image: Vectors, text: Vectors, note: NDArray[np.int64], ks) -> dict[str, float]:
    """Anything with the query's note as a hit: probability over random orders of ties, each note once."""
    kept = np.flatnonzero(note >= 0)
    by_note: dict[int, list[dict[str, float]]] = {}
    for query in kept:
        cosine = [
            round(
                float(
                    image[i].astype(float)
                    @ text[query]
                    / (np.linalg.norm(image[i].astype(float)) * np.linalg.norm(text[query].astype(float)))
                ),
                6,
            )
            for i in kept
        ]
        same = np.array([note[i] == note[query] for i in kept])
        figures = {"precision": average_precision_score(same, cosine)}
        best = max(score for score, wanted in zip(cosine, same, strict=True) if wanted)
        before = sum(score > best for score in cosine)
        tied = [wanted for score, wanted in zip(cosine, same, strict=True) if score == best]
        for k in ks:
            drawn = min(max(k - before, 0), len(tied))
            miss = math.comb(len(tied) - sum(tied), drawn) / math.comb(len(tied), drawn)
            figures[f"hit_{k}"] = 1 - miss
        by_note.setdefault(int(note[query]), []).append(figures)
    means = [{key: np.mean([f[key] for f in found]) for key in found[0]} for found in by_note.values()]
    return {key: float(np.mean([m[key] for m in means])) for key in means[0]}


def test_label_equivalents_and_median_rank_agree_with_brute_force_and_scikit_learn() -> None:
    for seed in range(CASES):
        image, text, note = random_case(seed)
        if (note >= 0).sum() < 2:
            continue
        found = text_to_image(image, text, note)
        expected = equivalents_by_force(image, text, note, (1, 5, 10))
        n, copies = found["n"], np.unique(note[note >= 0], return_counts=True)[1]
        equivalent = found["equivalent"]
        assert equivalent["mean_average_precision"] == pytest.approx(expected["precision"], abs=1e-6)
        for k in (1, 5, 10):
            assert equivalent[f"recall_at_{k}"] == pytest.approx(expected[f"hit_{k}"], abs=1e-6)
            chance = [1 - math.comb(n - c, min(k, n)) / math.comb(n, min(k, n)) for c in copies]
            assert equivalent[f"chance_at_{k}"] == pytest.approx(np.mean(chance))
            assert found[f"chance_at_{k}"] == pytest.approx(min(k, n) / n)
            assert found[f"share_of_ceiling_at_{k}"] == pytest.approx(
                found[f"recall_at_{k}"] / found[f"ceiling_at_{k}"]
            )
        assert 1 <= found["median_rank"] <= n


def test_precision_by_chance_is_the_mean_over_all_orders() -> None:
    for n, relevant in ((2, 1), (6, 2), (7, 5), (5, 5)):
        note = np.repeat([0, 1], [relevant, n - relevant])
        expected = [random_order_precision(c, n) for c in (relevant, n - relevant) if c]
        found = text_to_image(np.eye(n), np.eye(n)[note], note)
        assert found["equivalent"]["mean_average_precision_by_chance"] == pytest.approx(np.mean(expected))


def test_image_to_text_is_text_to_image_with_the_sides_exchanged() -> None:
    for seed in range(CASES):
        image, text, note = random_case(seed)
        assert image_to_text(image, text, note) == text_to_image(text, image, note)


def test_chance_lies_within_its_interval_as_often_as_that_says() -> None:
    """Five notes on 300 photographs: their copies hit or miss together, and the interval knows."""
    note = np.random.default_rng(0).integers(0, 5, 300)
    for direction in (text_to_image, image_to_text):
        within = {1: 0, 5: 0, 10: 0}
        for seed in range(100):
            generator = np.random.default_rng(seed)
            image = generator.normal(size=(300, 64))
            text = generator.normal(size=(5, 64))[note]
            found = direction(image, text, note, one_text_per_note=True)
            for k in within:
                low, high = found[f"chance_interval_at_{k}"]
                within[k] += low <= found[f"recall_at_{k}"] <= high
        assert min(within.values()) >= 88


def test_median_rank_counts_a_tie_as_its_middle() -> None:
    constant, note = np.ones((9, 4)), np.arange(9)
    found = text_to_image(constant, constant, note)
    assert found["median_rank"] == found["median_rank_by_chance"] == 5.0
    assert found["median_rank_at_best"] == 1.0
    best = text_to_image(np.eye(9), np.eye(9), note)
    assert (best["median_rank"], best["equivalent"]["mean_average_precision"]) == (1.0, 1.0)


def test_intervals_resample_patients_with_the_gallery_as_it_is() -> None:
    image, text, note = random_case(11)
    patient = np.array([f"p{i // 2}" for i in range(len(note))])
    found = text_to_image(image, text, note, patient=patient, resamples=400)
    low, high = found["intervals"]["recall_at_5"]
    assert 0 <= low <= found["recall_at_5"] <= high <= 1
    alone = text_to_image(image, text, note, patient=np.full(len(note), "p"), resamples=50)
    assert set(alone["intervals"].values()) == {None}


def test_blocks_of_queries_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [random_case(seed) for seed in range(20)]
    whole = [text_to_image(*case) for case in cases]
    monkeypatch.setattr("shared_model.metrics.ranking._BLOCK", 1)
    for case, before in zip(cases, whole, strict=True):
        after = text_to_image(*case)
        assert (after is None) == (before is None)
        if before is not None:
            assert after["recall_at_1"] == pytest.approx(before["recall_at_1"])
            assert after["equivalent"] == pytest.approx(before["equivalent"])


def test_fewer_than_two_notes_or_broken_embeddings_give_nothing() -> None:
    image, text, note = np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32), np.array([0, -1, -1])
    assert text_to_image(image, text, note) is None
    assert text_to_image(image * np.nan, text, np.arange(3)) is None


def test_samples_without_a_note_may_hold_anything() -> None:
    image, text, note = np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32), np.array([0, 1, -1])
    text[2] = np.nan
    assert text_to_image(image, text, note)["recall_at_1"] == 1.0
