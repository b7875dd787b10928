"""Photographs of pure noise under five notes: what an honest protocol says of them, and what the paper's says."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from client.data.dataset import SiteDataset
from client.inference.guard import retrieval_guard
from client.inference.predict import predict
from client.statistics.policy import OPEN
from client.statistics.site_answer import site_answer
from shared_model.config import Config
from shared_model.losses import Objective
from shared_model.metrics.document import model_figures
from shared_model.model import build_model, load_tokenizer
from shared_model.statistics import pool
from simulations.prepare import prepare

PATIENTS = 400
TEMPLATES = (
    {},
    {"diabetic_retinopathy"},
    {"macular_edema"},
    {"scar", "drusens"},
    {"nevus", "hemorrhage"},
)
INDICATORS = ("diabetic_retinopathy", "macular_edema", "scar", "nevus", "drusens", "hemorrhage")
PAIRED = (
    "model.fusion={width=64, depth=2, heads=4, feed_forward=96, dropout=0.0, joint=32}",
    "model.decoders.enabled=false",
    "model.local=[]",
    "losses.contrastive_source=paired",
    "losses.contrastive_targets=identity",
    "losses.fixed={image_text=1.0, image_structured=0.0, text_structured=0.0, image_reconstruction=0.0, "
    "text_reconstruction=0.0, grading=0.3}",
    "data.split=[0.5, 0.0]",
)
STEPS, BATCH = 120, 40


@pytest.fixture(scope="module")
def noise_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One photograph a patient, four squares of random colours: note, grade and photograph have nothing in common."""
    folder = tmp_path_factory.mktemp("noise")
    (folder / "fundus_photos").mkdir()
    random = np.random.default_rng(0)
    columns = ("image_id", "patient_id", "camera", "DR_ICDR", "DR_SDRG", *INDICATORS)
    with (folder / "labels_brset.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        for index in range(PATIENTS):
            note = TEMPLATES[int(random.integers(len(TEMPLATES)))]
            grade = int(random.choice(5, p=[0.5, 0.1, 0.2, 0.1, 0.1]))
            row = [f"img{index:05d}", index, "Canon CR", grade, grade, *(int(n in note) for n in INDICATORS)]
            writer.writerow(row)
            squares = random.integers(0, 256, (2, 2, 3), dtype=np.uint8).repeat(32, axis=0).repeat(32, axis=1)
            Image.fromarray(squares).save(folder / "fundus_photos" / f"img{index:05d}.jpg", quality=90)
    return folder


@pytest.fixture(scope="module")
def judged(
    noise_folder: Path, small_config: Callable[..., Config], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """The figures on patients held out, and the guard, of a model trained as the source paper trains."""
    config = small_config(*PAIRED)
    prepared = prepare(noise_folder, config, tmp_path_factory.mktemp("noise-work"))
    standardisation = pool([site_answer(prepared.table, prepared.images, OPEN)])
    objective = Objective(build_model(config.model, seed=0), config.losses)
    torch.manual_seed(0)  # the text encoder's dropout draws from torch's own generator
    tokenizer = load_tokenizer(objective.model)
    dataset = SiteDataset(prepared.table, prepared.images, tokenizer, standardisation)
    optimizer = torch.optim.AdamW(objective.parameters(), lr=1e-3)
    train, random = dataset.rows_of("train"), np.random.default_rng(1)
    for _ in range(STEPS):
        loss, _ = objective(dataset.batch(random.choice(train, BATCH, replace=False)))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    model, tested = objective.model.eval(), dataset.rows_of("test")
    found = predict(model, dataset, tested, {}, mask_notes=True, batch_size=50)
    guard = retrieval_guard(model, dataset.table.iloc[tested], prepared.images, tokenizer, standardisation)
    return {**model_figures(found, [], 500)["all"], "guard": guard}


def test_alone_noise_is_retrieved_by_chance_and_never_above_the_ceiling(judged: dict[str, Any]) -> None:
    for direction in ("text_to_image", "image_to_text"):
        found = judged["retrieval"]["unimodal"][direction]
        assert found["unique_notes"] == len(TEMPLATES)
        for k in (1, 5, 10):
            assert found[f"recall_at_{k}"] <= found[f"ceiling_at_{k}"] + 1e-12
            low, high = found[f"chance_interval_at_{k}"]
            assert low <= found[f"recall_at_{k}"] <= high
        assert found["median_rank"] == pytest.approx(found["median_rank_by_chance"], rel=0.25)


def test_in_pairs_noise_is_retrieved_nearly_always_and_the_figure_says_what_it_is(
    judged: dict[str, Any],
) -> None:
    paired = judged["retrieval"]["paired"]
    assert paired["label"] == "conditioned on the pair: not a retrieval system"
    for direction in ("text_to_image", "image_to_text"):
        assert paired[direction]["recall_at_1"] > 0.95
        assert paired[direction]["share_of_ceiling_at_1"] > 10  # above what any search could reach: a leak


def test_noise_is_graded_no_better_than_by_the_majority(judged: dict[str, Any]) -> None:
    for given in ("all", "image", "note", "image_note"):
        figures = judged["icdr"]["by_input"][given]
        assert figures["intervals"]["quadratic_weighted_kappa"][0] <= 0
        auroc = figures["referable"]["intervals"]["auroc"]
        assert auroc[0] <= 0.5 <= auroc[1]


def test_the_guard_passes_although_the_paired_vectors_change(judged: dict[str, Any]) -> None:
    assert judged["guard"]["passed"] is True
    assert judged["guard"]["paired_changed"] is True
    assert judged["guard"]["changed"] == {"text": 0, "image": 0}
