"""The ways that look right and are not, each shown to move the sum by more than its bound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from client.privacy.dp.refusals import require_all_in_step
from client.privacy.dp.step import on_grid
from shared_model.errors import ConfigError
from shared_model.losses import Batch, Objective

NOTES = (
    "Scar is present.",
    "Nevus is present.",
    "Drusen is present.",
    "Myopic fundus is present.",
    "Macular edema is present.",
    "Hemorrhage is present.",
    "Retinal detachment is present.",
    "Vascular occlusion is present.",
)


def logits_of(objective: Objective, batch: Batch) -> Tensor:
    """Every photograph against every note of the batch, as a contrastive loss compares them."""
    image = objective.model.fuse({"image": objective.model.embed_image(batch.image)}).cls["image"]
    text = objective.model.fuse({"text": objective.model.embed_text(batch.note)}).cls["text"]
    return F.normalize(image, dim=1) @ F.normalize(text, dim=1).T / objective.config.temperature


def terms_of(logits: Tensor) -> Tensor:
    """Each sample's own term of the batch's contrastive loss, (B,)."""
    target = torch.arange(len(logits))
    return F.cross_entropy(logits, target, reduction="none") + F.cross_entropy(
        logits.T, target, reduction="none"
    )


def per_sample(objective: Objective, batch: Batch) -> list[list[Tensor]]:
    """What Opacus would clip: the gradient of each sample's own term."""
    trained = [p for p in objective.parameters() if p.requires_grad]
    found = []
    for term in terms_of(logits_of(objective, batch)):
        gradients = torch.autograd.grad(term, trained, retain_graph=True, allow_unused=True)
        found.append(
            [torch.zeros_like(p) if g is None else g for p, g in zip(trained, gradients, strict=True)]
        )
    return found


def clipped_sum(contributions: Sequence[Sequence[Tensor]], clip: float = 1.0) -> list[Tensor]:
    """Each contribution clipped to `clip` by itself, and all added up."""
    flat = [torch.cat([part.flatten() for part in parts]) for parts in contributions]
    return [
        sum((on_grid(one * (clip / one.norm()).clamp(max=1), clip).long() for one in flat), torch.tensor(0))
    ]


def noted(kit: SimpleNamespace, count: int, seed: int) -> list[Any]:
    """Patients of one photograph and one note each."""
    generator = torch.Generator().manual_seed(seed)
    records = [kit.ordinary(f"p{index}", generator)[0] for index in range(count)]
    for record, note in zip(records, NOTES, strict=False):
        record.note = note
    return records


@pytest.fixture(scope="module")
def halfway(make_objective: Callable[..., Objective], kit: SimpleNamespace, notes: Any) -> Objective:
    """A model that has begun to tell its patients apart, as one in training has."""
    objective = make_objective().eval()  # without dropout, which would differ between the two worlds
    batch = kit.Patients(noted(kit, len(NOTES), 0), notes).batch(range(len(NOTES)))
    optimizer = torch.optim.Adam([p for p in objective.parameters() if p.requires_grad], lr=5e-3)
    for _ in range(30):
        optimizer.zero_grad()
        loss = terms_of(logits_of(objective, batch)).mean()
        loss.backward()
        optimizer.step()
    return objective


@pytest.mark.parametrize("bound", [1.0, 2.0], ids=["a batch", "inside a group"])
def test_clipping_each_patient_of_a_contrastive_batch_breaks_the_bound(
    bound: float, halfway: Objective, kit: SimpleNamespace, notes: Any
) -> None:
    records = noted(kit, len(NOTES), 0)
    without = clipped_sum(per_sample(halfway, kit.Patients(records, notes).batch(range(len(records)))))
    found = {}
    for kind in kit.HOSTILE:
        extra = kit.hostile(kind, "extra", records[:1], torch.Generator().manual_seed(5))[0]
        extra.note = extra.note or NOTES[0]
        site = kit.Patients([*records, extra], notes)
        found[kind] = kit.distance(
            without, clipped_sum(per_sample(halfway, site.batch(range(len(records) + 1))))
        )
    assert found["ordinary"] > bound  # no attacker is needed
    assert found["nan"] > bound + 0.5  # one whose loss is no number silences everybody


def test_a_decoder_trained_beside_the_step_breaks_the_bound_after_the_first_step(
    make_training: Any, kit: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from client.privacy.dp import training as module

    plain = module.make_optimizer

    def without_decoder(objective: Objective, *arguments: Any) -> Any:
        outside = {name for name, _ in objective.named_parameters() if "decoder" in name}
        return plain(objective, *arguments, outside)

    monkeypatch.setattr(module, "make_optimizer", without_decoder)
    monkeypatch.setattr(module, "require_all_in_step", lambda objective, optimizer: None)
    records = noted(kit, 6, 0)
    extra = kit.hostile("duplicated", "extra", records[:2], torch.Generator().manual_seed(0))
    of = kit.plan("prototypes", rate=1.0)
    worlds = kit.Worlds(make_training(records, of), make_training([*records, *extra], of))
    decoders = [
        [p for name, p in world.objective.named_parameters() if "decoder" in name] for world in worlds.pair
    ]
    found = []
    for number in range(3):
        found.append(worlds.step(number))
        for parameters in decoders:
            torch.optim.SGD(parameters, lr=30.0).step()
            for parameter in parameters:
                parameter.grad = None
    assert worlds.same_weights()
    assert found[0] <= 1.0 < max(found[1:])


def test_a_decoder_trained_beside_the_step_is_refused(make_objective: Callable[..., Objective]) -> None:
    objective = make_objective()
    inside = [p for name, p in objective.named_parameters() if "decoder" not in name]
    with pytest.raises(ConfigError, match="outside the clipped and noised step") as caught:
        require_all_in_step(objective, torch.optim.SGD(inside, lr=0.1))
    assert caught.value.where == "model.decoders.enabled"
