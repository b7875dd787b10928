"""Grading photographs with a finished full-size model against the stock forward pass, one at a time and eight.

Both give the same grades: what is saved is padding, notes that occur twice in a batch, and the tokens of fusion's
last layer that nobody reads. What int8 would bring is told beside it and not used: it moves probabilities, and
operating points were fixed in fp32.
"""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from torch import Tensor, nn
from torch.ao.quantization import quantize_dynamic

from client.data.dataset import SiteDataset
from client.statistics.policy import Policy
from client.statistics.site_answer import site_answer
from client.training.machine import machine_of
from shared_model.config import load_config
from shared_model.losses import Batch
from shared_model.model import FusionModel, build_model, load_tokenizer
from shared_model.model.fusion_model import Tokens
from shared_model.records import TASKS
from shared_model.statistics import pool
from simulations.bench.figure import Figure, Measured
from simulations.bench.plain_step import padded
from simulations.bench.profiled import operations
from simulations.bench.setting import Setting
from simulations.prepare import prepare

PATIENTS, SIZES, GOAL = 24, (1, 8), 2.0
TOKENS = 197  # of a photograph, with the CLS token
TOLERANCE = 1e-6  # of a probability: rounding of sums in another order


def measure(setting: Setting) -> Measured:
    """inference.speedup_batch1 and inference.speedup_batch8."""
    config = load_config("paper", model__pretrained="never")
    machine = machine_of(config.runtime)
    torch.set_num_threads(machine.threads)
    prepared = prepare(setting.drawn(PATIENTS), config, setting.folder / "inference")
    standardisation = pool([site_answer(prepared.table, prepared.images, Policy())])
    model = build_model(config.model).eval()
    dataset = SiteDataset(prepared.table, prepared.images, load_tokenizer(model), standardisation)
    figures, profile = [], {}
    for size in SIZES:
        setting.say(f"grading {size} at a time")
        batch = dataset.batch(np.arange(size))
        plain, ours = _plainly(model, batch), _graded(model, batch)
        apart = max(float((plain()[task] - ours()[task]).abs().max()) for task in TASKS)
        if apart > TOLERANCE:
            raise RuntimeError(f"the two ways grade {apart:g} apart")
        runs, seconds = _ratios(plain, ours, setting.repeats)
        what = f"stock forward pass / ours: preset paper, batch {size}, fp32, {machine.threads} threads"
        details = {
            "seconds": seconds,
            "largest_difference_of_a_probability": apart,
            "different_notes": len(torch.unique(batch.masked_note.ids, dim=0)),
        }
        goal = GOAL if size == max(SIZES) else None
        figures.append(Figure(f"inference.speedup_batch{size}", runs, what, goal=goal, details=details))
        profile[f"Grading {size} at a time"] = operations(ours)
    profile["The photograph's encoder in int8, which is not used"] = _in_int8(
        model, batch, plain, ours, setting.repeats
    )
    assert model.image_encoder is not None  # paper's model has one
    profile["Matrix products in fp32: what the processor gives"] = _products(model.image_encoder.width)
    return Measured(figures, profile)


def _graded(model: FusionModel, batch: Batch) -> Callable[[], dict[str, Tensor]]:
    @torch.inference_mode()
    def grade() -> dict[str, Tensor]:
        embedded = {
            "image": model.embed_image(batch.image),
            "text": model.embed_text(batch.masked_note),
            "structured": model.embed_structured(batch.structured),
        }
        logits = model.grade(model.fuse(embedded, batch.present))
        return {task: torch.softmax(logits[task], dim=1) for task in TASKS}

    return grade


def _plainly(model: FusionModel, batch: Batch) -> Callable[[], dict[str, Tensor]]:
    """Stock modules, one row a record, notes padded to the model's length."""
    note = padded(batch.masked_note, model.config.text.maximum_tokens)

    @torch.inference_mode()
    def grade() -> dict[str, Tensor]:
        model.run_plainly(True)
        hidden = model.text_encoder(note.ids, note.mask)  # type: ignore[misc]
        tokens = model.text_projection(hidden) + model.modality_type["text"]  # type: ignore[misc]
        embedded = {
            "image": model.embed_image(batch.image),
            "text": Tokens(tokens, note.mask[:, : tokens.shape[1]] == 0),
            "structured": model.embed_structured(batch.structured),
        }
        logits = model.grade(model.fuse(embedded, batch.present))
        model.run_plainly(False)
        return {task: torch.softmax(logits[task], dim=1) for task in TASKS}

    return grade


def _in_int8(
    model: FusionModel,
    batch: Batch,
    plain: Callable[[], dict[str, Tensor]],
    ours: Callable[[], dict[str, Tensor]],
    repeats: int,
) -> list[str]:
    """How much faster PyTorch's own dynamic quantisation would be, and how far it moves a probability."""
    assert model.image_encoder is not None
    reduced = copy.deepcopy(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated in favour of a package that we do not need otherwise
        reduced.image_encoder = quantize_dynamic(  # type: ignore[no-untyped-call]
            reduced.image_encoder, {nn.Linear}, dtype=torch.qint8
        )
    graded = _graded(reduced, batch)
    apart = max(float((graded()[task] - ours()[task]).abs().max()) for task in TASKS)
    runs, _ = _ratios(plain, graded, repeats)
    said = f"{median(runs):.2f}x ({min(runs):.2f} to {max(runs):.2f}) of the stock forward pass in fp32"
    return [f"{said}; probabilities up to {apart:.3f} apart, of an untrained model"]


def _products(width: int) -> list[str]:
    """How fast the largest product of a block of the ViT runs, beside one so large that nothing else is in its way."""
    tokens, lines = max(SIZES) * TOKENS, []
    for what, (m, k, n) in {
        "first linear layer of a block": (tokens, width, 4 * width),
        "square matrices": (4 * width, 4 * width, 4 * width),
    }.items():
        left, right = torch.randn(m, k), torch.randn(k, n)
        seconds = []
        for _ in range(4):
            started = time.perf_counter()
            left @ right
            seconds.append(time.perf_counter() - started)
        lines.append(f"{2 * m * k * n / min(seconds) / 1e9:8.1f} GFLOP/s  {what}, {m} x {k} x {n}")
    return lines


def _ratios(
    plain: Callable[[], object], ours: Callable[[], object], repeats: int
) -> tuple[tuple[float, ...], dict[str, list[float]]]:
    seconds: dict[str, list[float]] = {"plain": [], "ours": []}
    for _ in range(repeats):
        for name, run in (("plain", plain), ("ours", ours)):
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
    return tuple(p / o for p, o in zip(seconds["plain"], seconds["ours"], strict=True)), seconds
