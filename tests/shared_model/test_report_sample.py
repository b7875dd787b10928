"""A plausible made-up run, and one of which the data supports hardly anything, to test the report on.

Figures come from the real metrics code over invented predictions, so the sample cannot drift from it.
"""

from __future__ import annotations

import io
import json
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from shared_model.metrics import (
    INPUTS,
    SCHEMA,
    Predictions,
    comparisons,
    majority_predictions,
    modality_worth,
    model_figures,
)

SITES = ("Centre A", "Centre B", "Centre C")
NO_NOTES = "Centre C"
CASE_MIX = {
    "Centre A": (0.62, 0.1, 0.14, 0.08, 0.06),
    "Centre B": (0.4, 0.15, 0.2, 0.15, 0.1),
    "Centre C": (0.5, 0.05, 0.15, 0.1, 0.2),
}
SKILL = {
    "federated": 0.74,
    "pooled": 0.77,
    "pooled_equal_steps": 0.7,
    "local:Centre A": 0.52,
    "local:Centre B": 0.56,
    "local:Centre C": 0.44,
}
GIVEN = {
    "image": 0.88,
    "note": 0.45,
    "structured": 0.1,
    "image_note": 0.97,
    "image_structured": 0.9,
    "all": 1.0,
    "note_unmasked": 0.9,
    "all_unmasked": 1.0,
}
TERMS = (
    "image_text",
    "image_structured",
    "text_structured",
    "image_reconstruction",
    "text_reconstruction",
    "grading",
)
Run = dict[str, Any]


class Report(NamedTuple):
    """The arguments of `render`."""

    document: Run
    history: list[Run]
    config_toml: str
    partition: Run
    samples: dict[str, list[tuple[bytes, str]]]


def predictions(skill: float, seed: int, size: int = 480) -> Predictions:
    """Test predictions of a model that knows the grade in `skill` of the cases and guesses the rest."""
    cohort, model = np.random.default_rng(7), np.random.default_rng(seed)
    site = np.array([SITES[i // 2 % 3] for i in range(size)])
    icdr = np.array([cohort.choice(5, p=CASE_MIX[name]) for name in site])
    near = np.clip(icdr + cohort.integers(-1, 2, size), 0, 4)
    truth = {"icdr": icdr, "sdrg": np.where(cohort.random(size) < 0.1, -1, near)}
    gone = {"note": cohort.random(size) < 0.08, "structured": cohort.random(size) < 0.2}
    gone["note"] |= site == NO_NOTES

    def probability(task: str, given: str) -> np.ndarray:
        right = model.random(size) < skill * GIVEN[given]
        guess = np.where(right, truth[task], model.choice(5, size, p=(0.5, 0.1, 0.2, 0.1, 0.1)))
        rows = (0.05 + 0.75 * np.eye(5)[guess]).astype(np.float32)
        for name in given.split("_"):
            rows[gone.get(name, np.zeros(size, bool))] = np.nan
        return rows

    note = np.where(gone["note"], -1, np.where(cohort.random(size) < 0.5, 0, cohort.integers(1, 150, size)))
    text = cohort.normal(size=(151, 32)).astype(np.float32)[note]
    image = (text + 5 * model.normal(size=text.shape) / skill).astype(np.float32)
    paired = (image + 0.5 * text).astype(np.float32)
    return Predictions(
        record=np.array([f"r{i}" for i in range(size)]),
        patient=np.array([f"p{i // 2}" for i in range(size)]),
        site=site,
        truth=truth,
        probabilities={task: {given: probability(task, given) for given in INPUTS} for task in truth},
        note=note,
        embeddings={"unimodal": {"image": image, "text": text}, "paired": {"image": image, "text": paired}},
    )


def document(resamples: int = 200) -> Run:
    models = {name: predictions(skill, seed) for seed, (name, skill) in enumerate(SKILL.items())}
    best = {name: predictions(skill + 0.02, seed + 50) for seed, (name, skill) in enumerate(SKILL.items())}
    compared = comparisons(models, SITES, resamples)
    worth = modality_worth(models["federated"], SITES, resamples)
    counts = {"icdr": [500, 100, 160, 100, 110], "sdrg": [500, 100, 160, 100, 110]}
    models["majority"] = majority_predictions(models["federated"], counts)
    return {
        "schema": SCHEMA,
        "models": {name: model_figures(model, SITES, resamples) for name, model in models.items()},
        "best_validation": {
            "models": {name: model_figures(model, SITES, resamples) for name, model in best.items()}
        },
        "comparisons": compared,
        "modalities": worth,
        "run": {
            "preset": "tiny",
            "partition": "center",
            "sites": list(SITES),
            "rounds": 12,
            "strategy": "fedavg",
            "engine": "inline",
            "seed": 0,
            "seconds": 412.5,
            "parameters": {"total": 2_143_211, "trainable": 2_143_211, "shared": 1_804_555, "local": 338_656},
            "bytes_per_round": {"up": 21_654_660, "down": 21_654_660},
            "resamples": resamples,
            "notices": ["Encoders start from random weights: figures say nothing about a pretrained model."],
            "package_version": "0.1.0",
        },
    }


def history(rounds: int = 12) -> list[Run]:
    generator = np.random.default_rng(3)
    trained = {name: skill for name, skill in SKILL.items() if name != "pooled_equal_steps"}
    return [
        entry(name, skill, number, rounds, generator)
        for number in range(rounds + 1)
        for name, skill in trained.items()
    ]


def entry(name: str, skill: float, number: int, rounds: int, generator: np.random.Generator) -> Run:
    """One line of history.jsonl: kappa rises to the skill, the loss falls."""
    sites = SITES if name == "federated" else (name.removeprefix("local:"),)

    def at(offset: float = 0.0) -> tuple[float, float]:
        progress = 1 - np.exp(-4 * number / rounds)
        kappa = (skill + offset) * progress + generator.normal(0, 0.02) * (number > 0)
        return float(kappa), float(3.4 - 1.3 * kappa + generator.normal(0, 0.03))

    def site(i: int) -> Run:
        kappa, loss = at(0.06 * (i - 1))
        trained = number > 0
        terms = {
            term: (2.2 + 0.3 * j) * np.exp(-number / (6 + 3 * j)) + 0.4 + 0.1 * i
            for j, term in enumerate(TERMS)
        }
        return {
            "examples": 300 + 50 * i,
            "train_loss": loss + 0.2 if trained else None,
            "losses": terms if trained else {},
            "loss_weights": dict.fromkeys(TERMS, 1.0) | {"grading": 1.0 + number / 20} if trained else {},
            "validation_loss": loss,
            "validation": {"icdr": {"quadratic_weighted_kappa": kappa, "accuracy": 0.5}},
            "seconds": 3.1 + 0.3 * i,
            "bytes_up": 7_218_220 * trained,
            "bytes_down": 7_218_220 * trained,
        }

    kappa, loss = at()
    moved = 7_218_220 * 3 * (number > 0) * (name == "federated")
    return {
        "model": name,
        "round": number,
        "seconds": 10.0 + generator.normal(0, 0.4),
        "learning_rate": 1e-4,
        "bytes_up": moved,
        "bytes_down": moved,
        "validation": {"loss": loss, "icdr": {"quadratic_weighted_kappa": kappa, "accuracy": 0.5}},
        "sites": {name: site(i) for i, name in enumerate(sites)},
    }


def partition() -> Run:
    return {
        "kind": "center",
        "proxy": True,
        "notices": ["No centre table: the three centres are proxies, not hospitals."],
        "sites": {
            name: {
                "patients": {"train": 160 + 40 * i, "validation": 20 + 5 * i, "test": 80},
                "images": {"train": 312 + 81 * i, "validation": 39 + 9 * i, "test": 160},
                "icdr": [int(share * 520) for share in CASE_MIX[name]],
                "sdrg": [int(share * 430) for share in CASE_MIX[name][::-1]],
                "notes": 440 + 30 * i,
                "cameras": {"Canon CR": 400, "NIKON NF5050": 120},
            }
            for i, name in enumerate(SITES)
        },
    }


def photograph(tint: tuple[int, int, int], format: str = "JPEG") -> bytes:
    image = Image.new("RGB", (160, 140))
    draw = ImageDraw.Draw(image)
    draw.ellipse((10, 0, 150, 140), fill=tint)
    draw.ellipse((105, 55, 125, 80), fill=(240, 220, 150))
    buffer = io.BytesIO()
    image.save(buffer, format)
    return buffer.getvalue()


def report() -> Report:
    """The run as a person would hope for it."""
    tints = ((176, 82, 30), (150, 60, 28), (196, 110, 60))
    samples = {
        site: [(photograph(tint, "PNG" if i else "JPEG"), f"ICDR {i}, Canon CR") for i in range(5)]
        for site, tint in zip(SITES, tints, strict=True)
    }
    config = '[model]\npreset = "tiny"\n\n[training]\nlearning_rate = 0.0001\n\n[federation]\nrounds = 12\n'
    return Report(document(), history(), config, partition(), samples)


def bare_report() -> Report:
    """A small set like IDRiD: no SDRG, no structured values, no loss recorded, a handful of patients."""
    whole = predictions(0.6, 0, 24)
    nothing = {"sdrg": np.full(24, -1, dtype=np.int64)}
    blank = {
        task: inputs | {"structured": inputs["structured"] * np.nan}
        for task, inputs in whole.probabilities.items()
    }
    few = Predictions(whole.record, whole.patient, whole.site, whole.truth | nothing, blank, whole.note, {})
    document = {
        "schema": SCHEMA,
        "models": {"federated": model_figures(few, SITES, 50)},
        "comparisons": comparisons({"federated": few}, SITES, 50),
        "modalities": modality_worth(few, SITES, 50),
        "run": {
            "preset": "tiny",
            "partition": "dirichlet",
            "sites": 3,
            "rounds": 1,
            "seed": 0,
            "notices": [],
        },
    }
    blind = {"validation_loss": None, "losses": {}}
    history = [
        {"model": "federated", "round": 0, "validation": {"loss": None, "icdr": {}}, "sites": {}},
        {"model": "federated", "round": 1, "seconds": 0.4, "validation": None, "sites": {SITES[0]: blind}},
    ]
    held = {"patients": {"train": 4}, "images": {}, "icdr": [3, 0, 1, 0, 0], "sdrg": [0] * 5, "notes": 0}
    sites = {SITES[0]: held, SITES[1]: {}}
    return Report(document, history, "", {"kind": "dirichlet", "notices": [], "sites": sites}, {})


def test_the_sample_runs_are_strict_json() -> None:
    for made in (report(), bare_report()):
        json.dumps([made.document, made.history, made.partition], allow_nan=False)
