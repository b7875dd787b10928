from __future__ import annotations

import torch
from torch.nn import functional as F

from shared_model.losses import grading_loss


def logits(seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {t: torch.randn(4, 5, generator=generator).requires_grad_() for t in ("icdr", "sdrg")}


def test_samples_without_a_label_are_left_out_of_loss_and_gradient() -> None:
    scores = logits()
    labels = {"icdr": torch.tensor([0, -1, 3, 4]), "sdrg": torch.tensor([-1, -1, 2, -1])}
    loss = grading_loss(scores, labels)
    expected = (
        F.cross_entropy(scores["icdr"][[0, 2, 3]], torch.tensor([0, 3, 4]))
        + F.cross_entropy(scores["sdrg"][[2]], torch.tensor([2]))
    ) / 2
    assert torch.allclose(loss, expected)
    loss.backward()
    assert (scores["icdr"].grad.abs().sum(dim=1) > 0).tolist() == [True, False, True, True]
    assert (scores["sdrg"].grad.abs().sum(dim=1) > 0).tolist() == [False, False, True, False]


def test_a_task_without_labels_leaves_the_other_alone() -> None:
    scores = logits()
    labels = {"icdr": torch.tensor([0, 1, 2, 3]), "sdrg": torch.full((4,), -1)}
    loss = grading_loss(scores, labels)
    assert torch.allclose(loss, F.cross_entropy(scores["icdr"], labels["icdr"]))
    loss.backward()
    assert scores["sdrg"].grad is None


def test_a_batch_without_any_label_has_no_grading_loss() -> None:
    assert grading_loss(logits(), {t: torch.full((4,), -1) for t in ("icdr", "sdrg")}) is None


def test_class_weights_and_smoothing_are_cross_entropys() -> None:
    scores, label = {"icdr": logits()["icdr"]}, torch.tensor([0, 1, 1, 4])
    weight = torch.tensor([0.5, 2.0, 1.0, 1.0, 3.0])
    loss = grading_loss(scores, {"icdr": label}, {"icdr": weight}, label_smoothing=0.1)
    log = torch.log_softmax(scores["icdr"], dim=1)
    nll = -(log[torch.arange(4), label] * weight[label]).sum() / weight[label].sum()
    smooth = -(log * weight).sum() / weight[label].sum() / 5
    assert torch.allclose(loss, 0.9 * nll + 0.1 * smooth)
