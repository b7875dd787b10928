"""Patients taken together: the gradients of one at a time, and no patient in another's."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from client.privacy.dp import training as module
from client.privacy.dp.sampling import Unit
from client.privacy.dp.slots import passes, slots_taken
from client.privacy.dp.step import GRID
from client.privacy.dp.taps import Taps
from client.privacy.dp.together import Together, slots_of, why_not

TOLERANCE = 1e-4  # of a clipping norm, for one patient


def records(kit: SimpleNamespace, count: int = 9, seed: int = 1) -> list[Any]:
    generator = torch.Generator().manual_seed(seed)
    return [record for name in range(count) for record in kit.ordinary(f"p{name}", generator)]


def sums(training: Any, steps: int = 1) -> list[Tensor]:
    """The clipped sum of each step, in clipping norms."""
    found: list[Tensor] = []
    add_noise = training.optimizer.add_noise

    def watched() -> None:
        found.append(torch.cat([p.summed_grad.flatten() for p in training.optimizer.params]).double() / GRID)
        add_noise()

    training.optimizer.add_noise = watched
    for number in range(steps):
        training.step(number)
    return found


@pytest.mark.parametrize(
    "more",
    [
        (),
        ("model.fusion.depth=2",),
        ("model.inputs=['image']", "model.fusion.depth=0", "training.modality_dropout=0"),
        ("losses.label_smoothing=0.1", "losses.mask_notes=false"),
        ("model.image.depth=2",),
    ],
    ids=["preset", "two layers", "heads only", "smoothed", "image encoder in part"],
)
def test_together_and_one_at_a_time_give_the_same_sum(
    more: tuple[str, ...], make_training: Any, kit: SimpleNamespace
) -> None:
    of = kit.plan("prototypes", clip=0.05)
    made = [
        make_training(records(kit), of, *kit.TOGETHER, *more, one_at_a_time=alone) for alone in (False, True)
    ]
    assert [one.takes_together for one in made] == [True, False]
    together, alone = (sums(one)[0] for one in made)
    assert made[0].takes_together  # and was not given up on the way
    assert float(alone.norm()) > 0.5
    assert float((together - alone).norm()) < TOLERANCE * 9


def test_class_weights_count_together_as_they_do_alone(make_training: Any, kit: SimpleNamespace) -> None:
    found = []
    for one_at_a_time in (False, True):
        training = make_training(
            records(kit),
            kit.plan("prototypes"),
            *kit.TOGETHER,
            "losses.class_balance=0.5",
            one_at_a_time=one_at_a_time,
        )
        training.objective.balance({task: [50, 5, 20, 10, 1] for task in ("icdr", "sdrg")})
        training._loss.class_weights = training.objective.class_weights
        found.append(sums(training)[0])
    assert float((found[0] - found[1]).norm()) < TOLERANCE * 9


def test_the_model_keeps_its_parameters_and_all_of_them_go_on_being_trained(
    make_training: Any, kit: SimpleNamespace
) -> None:
    training = make_training(records(kit), kit.plan("prototypes"), *kit.TOGETHER)
    before = dict(training.objective.named_parameters())
    sums(training, steps=2)
    after = dict(training.objective.named_parameters())
    assert {name for name in before if after.get(name) is not before[name]} == set()
    held = {id(parameter) for parameter in training.optimizer.params}
    trained = {name for name, parameter in after.items() if parameter.requires_grad}
    assert any("vit.norm" in name for name in trained)  # the one that is used by itself
    assert {name for name in trained if id(after[name]) not in held} == set()


def test_no_patient_is_in_the_gradient_of_another(make_training: Any, kit: SimpleNamespace) -> None:
    """Bit for bit, wherever in a pass a patient comes to stand and whoever stands beside."""
    own = records(kit, 5)
    found = []
    for extra in (
        [],
        kit.hostile("huge", "extra", own, torch.Generator().manual_seed(3)),
        records(kit, 9, seed=7),
    ):
        renamed = [replace(record, patient=f"x{record.patient}") for record in extra]
        training = make_training([*renamed, *own], kit.plan("prototypes", rate=1.0), *kit.TOGETHER)
        units = {name: Unit(rows, 11) for name, rows in training._records.items() if name.startswith("p")}
        others = [Unit(rows, 12) for name, rows in training._records.items() if name.startswith("x")]
        together = training._together
        each = []
        for some in passes([*others, *units.values()], together.slots):
            slots = together.prepared([training._records_of(some)])
            counts = [len(unit.rows) for unit in some]
            each += [gradient.clone() for gradient in together.gradients(slots, counts)]
        found.append(each[len(others) :])
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


@pytest.mark.parametrize("kind", ["nan", "overflowing"])
def test_a_patient_whose_data_are_no_numbers_changes_nobodys_sum(
    kind: str, make_training: Any, kit: SimpleNamespace
) -> None:
    own = records(kit, 5)
    extra = kit.hostile(kind, "extra", own, torch.Generator().manual_seed(3))
    of = kit.plan("prototypes", rate=1.0)
    without, with_one = (sums(make_training(some, of, *kit.TOGETHER))[0] for some in (own, [*own, *extra]))
    assert bool(torch.isfinite(with_one).all())
    assert float((without - with_one).norm()) <= 1.0


def test_arithmetic_that_depends_on_the_place_is_noticed_and_not_used(
    make_training: Any,
    kit: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    real = Together.of_slots
    monkeypatch.setattr(module, "_ALONE", {})
    monkeypatch.setattr(
        Together,
        "of_slots",
        lambda self, slots: real(self, slots) * (1 + 1e-7 * torch.arange(self.slots).view(-1, 1)),
    )
    training = make_training(records(kit), kit.plan("prototypes"), *kit.TOGETHER)
    training.step(0)
    assert not training.takes_together
    assert "one patient at a time" in caplog.text


def test_what_is_not_understood_is_taken_one_at_a_time(make_training: Any, kit: SimpleNamespace) -> None:
    plan = kit.plan("prototypes")
    cases = {
        "groups": (kit.plan("groups"), ()),
        "grading loss": (plan, ("losses.fixed.image_text=0.1",)),
        "no frozen part": (plan, ("model.image.frozen_blocks=0",)),
        "text encoder": (plan, ("model.text.frozen_blocks=0",)),
        "dropout": (plan, ("model.fusion.dropout=0.1",)),
    }
    for reason, (of, more) in cases.items():
        training = make_training([], of, *kit.TOGETHER, *more)
        assert reason in why_not(training.objective, of)
        assert not training.takes_together
    assert why_not(make_training([], plan, *kit.TOGETHER).objective, plan) == ""


def test_a_pass_holds_whole_patients_and_its_size_is_a_constant_of_the_site(kit: SimpleNamespace) -> None:
    sizes = [3, 1, 3, 3, 2, 1]
    patients = [Unit(np.arange(2 * size - size % 2), 0) for size in sizes]
    found = [[slots_taken(len(one.rows)) for one in some] for some in passes(patients, 4)]
    assert found == [[3, 1], [3], [3], [2, 1]]
    assert slots_of(kit.plan("prototypes", rate=0.5, patients=20)) == 11
    assert slots_of(kit.plan("prototypes", rate=0.5, patients=2, records=5)) == 3
    assert slots_of(kit.plan("prototypes", rate=0.5, patients=5000)) == 34


def test_a_parameter_whose_use_is_not_seen_is_noticed(
    make_training: Any, kit: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ALONE", {})
    monkeypatch.setattr(Taps, "_layer_norm", lambda self, *given, **named: None)
    training = make_training(records(kit), kit.plan("prototypes", clip=0.05), *kit.TOGETHER)
    alone = make_training(records(kit), kit.plan("prototypes", clip=0.05), *kit.TOGETHER, one_at_a_time=True)
    assert torch.equal(sums(training)[0], sums(alone)[0])
    assert not training.takes_together
