from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from shared_model.config.schema import LOSS_NAMES
from shared_model.losses import Batch, Objective
from shared_model.model import TextBatch

MakeObjective = Callable[..., Objective]
MakeBatch = Callable[..., Batch]
SOFTMAX = "losses.weighting=softmax"


def parts_with_gradient(objective: Objective, loss: torch.Tensor) -> set[str]:
    objective.zero_grad(set_to_none=True)
    loss.backward(retain_graph=True)
    return {
        name.split(".")[1]
        for name, p in objective.named_parameters()
        if name.startswith("model.") and p.grad is not None and bool(p.grad.abs().max() > 0)
    }


@pytest.mark.parametrize("source", ["unimodal", "paired"])
def test_all_six_losses_are_there_and_finite(
    source: str, small_objective: MakeObjective, make_batch: MakeBatch
) -> None:
    objective = small_objective(SOFTMAX, f"losses.contrastive_source={source}")
    total, losses = objective(make_batch())
    assert set(losses) == set(LOSS_NAMES)
    assert all(torch.isfinite(loss) and loss > 0 for loss in losses.values())
    assert total.item() == pytest.approx(sum(loss.item() for loss in losses.values()) / 6, rel=1e-5)


ENCODERS = {
    "image": {"image_encoder", "image_projection"},
    "text": {"text_encoder", "text_projection"},
    "structured": {"structured_encoder"},
}
REACHED = {
    "image_text": ENCODERS["image"] | ENCODERS["text"],
    "image_structured": ENCODERS["image"] | ENCODERS["structured"],
    "text_structured": ENCODERS["text"] | ENCODERS["structured"],
    "image_reconstruction": ENCODERS["image"] | {"image_decoder"},
    "text_reconstruction": ENCODERS["text"] | {"text_decoder"},
    "grading": set().union(*ENCODERS.values()) | {"joint_projection", "heads"},
}


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_each_loss_teaches_the_parts_it_should_and_no_other(
    name: str, small_objective: MakeObjective, make_batch: MakeBatch
) -> None:
    objective = small_objective(SOFTMAX)
    _, losses = objective(make_batch())
    assert parts_with_gradient(objective, losses[name]) == REACHED[name] | {"fusion", "modality_type"}


def test_paired_alignment_lets_the_note_reach_the_image_vector(
    small_objective: MakeObjective, make_batch: MakeBatch
) -> None:
    objective = small_objective(SOFTMAX, "losses.contrastive_source=paired")
    _, losses = objective(make_batch())
    assert ENCODERS["text"] <= parts_with_gradient(objective, losses["image_structured"])


def test_grading_reads_the_masked_note_and_alignment_the_full_one(
    small_objective: MakeObjective, make_batch: MakeBatch
) -> None:
    objective, batch = small_objective(SOFTMAX).eval(), make_batch()
    _, masked = objective(batch)
    _, other_full = objective(replace(batch, note=batch.masked_note))
    _, other_masked = objective(replace(batch, masked_note=batch.note))
    assert torch.equal(masked["grading"], other_full["grading"])
    assert not torch.equal(masked["image_text"], other_full["image_text"])
    assert not torch.equal(masked["grading"], other_masked["grading"])
    assert torch.equal(masked["image_text"], other_masked["image_text"])


def test_a_switch_restores_the_papers_unmasked_notes(
    small_objective: MakeObjective, make_batch: MakeBatch
) -> None:
    objective, batch = small_objective(SOFTMAX, "losses.mask_notes=false").eval(), make_batch()
    _, losses = objective(batch)
    _, other = objective(replace(batch, masked_note=TextBatch(batch.note.ids * 0 + 7, batch.note.mask)))
    assert torch.equal(losses["grading"], other["grading"])
    _, reference = small_objective(SOFTMAX).eval()(replace(batch, masked_note=batch.note))
    assert torch.allclose(losses["grading"], reference["grading"])


def test_unimodal_alignment_ignores_samples_that_lack_a_side(
    small_objective: MakeObjective, make_batch: MakeBatch
) -> None:
    objective, batch = small_objective(SOFTMAX).eval(), make_batch(absent={"text": [1, 5], "structured": [2]})
    _, losses = objective(batch)
    noisy = batch.image.clone()
    noisy[[1, 5]] += 3
    _, other = objective(replace(batch, image=noisy))
    assert torch.allclose(losses["image_text"], other["image_text"], atol=1e-6)
    assert torch.equal(losses["text_structured"], other["text_structured"])
    assert not torch.allclose(losses["image_structured"], other["image_structured"], atol=1e-6)
    values = batch.structured.clone()
    values[2] += 3
    _, other = objective(replace(batch, structured=values))
    assert torch.allclose(losses["image_structured"], other["image_structured"], atol=1e-6)
    assert torch.allclose(losses["grading"], other["grading"], atol=1e-6)


def test_losses_that_a_batch_cannot_support_are_absent(
    small_objective: MakeObjective, make_batch: MakeBatch
) -> None:
    everyone = list(range(8))
    objective = small_objective(SOFTMAX)
    total, losses = objective(make_batch(absent={"text": everyone, "structured": everyone[1:]}))
    assert set(losses) == {"image_reconstruction", "grading"}
    assert torch.isfinite(total)
    bare = make_batch(
        absent={"text": everyone, "structured": everyone}, missing={"icdr": everyone, "sdrg": everyone}
    )
    grading = (
        "losses.fixed={image_text=0, image_structured=0, text_structured=0, image_reconstruction=0, "
        "text_reconstruction=0, grading=1}"
    )
    total, losses = small_objective(grading)(bare)
    assert not losses
    total.backward()  # a step without any loss is a step, not a crash
    assert total.item() == 0


def test_a_weight_of_zero_takes_the_loss_out(small_objective: MakeObjective, make_batch: MakeBatch) -> None:
    fixed = "losses.fixed={image_text=0, image_reconstruction=0, text_reconstruction=0}"
    _, losses = small_objective(fixed)(make_batch())
    assert set(losses) == {"image_structured", "text_structured", "grading"}


def test_a_model_without_decoders_has_four_losses(
    small_objective: MakeObjective, make_batch: MakeBatch
) -> None:
    _, losses = small_objective(SOFTMAX, "model.decoders.enabled=false")(make_batch())
    assert set(LOSS_NAMES) - set(losses) == {"image_reconstruction", "text_reconstruction"}


def test_modality_dropout_changes_grading_alone(
    small_objective: MakeObjective, make_batch: MakeBatch
) -> None:
    objective, batch = small_objective(SOFTMAX).eval(), make_batch()
    keep = {
        "image": torch.ones(8, dtype=torch.bool),
        "text": torch.zeros(8, dtype=torch.bool),
        "structured": torch.ones(8, dtype=torch.bool),
    }
    (_, whole), (_, dropped) = objective(batch), objective(batch, keep)
    assert not torch.equal(whole["grading"], dropped["grading"])
    assert all(torch.equal(whole[name], dropped[name]) for name in LOSS_NAMES if name != "grading")
    _, absent = objective(replace(batch, present={**batch.present, "text": keep["text"]}))
    assert torch.allclose(dropped["grading"], absent["grading"])


def test_padding_is_no_target_of_the_text_decoder(
    small_objective: MakeObjective, make_batch: MakeBatch
) -> None:
    objective, batch = small_objective(SOFTMAX).eval(), make_batch()
    longer = TextBatch(*(torch.nn.functional.pad(t, (0, 6)) for t in batch.note[:2]))
    _, a = objective(batch)
    _, b = objective(replace(batch, note=longer))
    assert torch.allclose(a["text_reconstruction"], b["text_reconstruction"], atol=1e-5)


def test_class_balance_weighs_rare_grades_up_and_averages_one(small_objective: MakeObjective) -> None:
    counts = {"icdr": [100, 10, 10, 5, 0], "sdrg": [0, 0, 0, 0, 0]}
    objective = small_objective("losses.class_balance=0.5")
    objective.balance(counts)
    weights = objective.class_weights["icdr"]
    count = torch.tensor(counts["icdr"], dtype=torch.float32)
    assert float((weights * count).sum() / count.sum()) == pytest.approx(1)
    assert float(weights[1] / weights[0]) == pytest.approx(10**0.5)
    assert all(torch.isfinite(w).all() for w in objective.class_weights.values())
    objective = small_objective()
    objective.balance(counts)
    assert objective.class_weights is None
