"""A private round: constants reported, an empty draw noised all the same, and nothing else said of the patients."""

from __future__ import annotations

from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from client.privacy.dp.bank import encode
from client.privacy.dp.plan import make_plan
from client.privacy.dp.prototypes import PatientObjective
from client.privacy.dp.randomness import OperatingSystem, Seeded
from client.privacy.dp.step import GRID, PrivateOptimizer
from client.privacy.dp.training import PrivateResult, train_privately
from shared_model.config import Config
from shared_model.privacy_statement import privacy_statement


def patients(kit: SimpleNamespace, count: int = 6) -> list[Any]:
    generator = torch.Generator().manual_seed(1)
    return [record for name in range(count) for record in kit.ordinary(f"p{name}", generator)]


def weights(training: Any) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in training.objective.parameters()]


@pytest.mark.parametrize("mode", ["prototypes", "groups"])
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    mode: str, make_training: Any, kit: SimpleNamespace
) -> None:
    found = []
    for seed in (0, 0, 1):
        training = make_training(patients(kit), kit.plan(mode), seed=seed)
        torch.manual_seed(len(found))  # the process's own generator has no say
        train_privately(training, 0, 2)
        found.append(weights(training))
    assert all(torch.equal(a, b) for a, b in zip(found[0], found[1], strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(found[0], found[2], strict=True))


def test_every_trainable_parameter_is_noised_the_decoders_and_loss_weights_too(
    make_training: Any, kit: SimpleNamespace
) -> None:
    training = make_training([], kit.plan("prototypes"), "losses.weighting=softmax")  # a draw of nobody
    before = {name: p.detach().clone() for name, p in training.objective.named_parameters()}
    train_privately(training, 0, 1)
    for name, parameter in training.objective.named_parameters():
        assert bool((parameter != before[name]).any()) == parameter.requires_grad, name
    assert any("decoder" in name for name in before)
    assert "weighting.alpha" in before


def test_a_round_tells_of_nothing_but_constants(make_training: Any, kit: SimpleNamespace) -> None:
    results = []
    for count in (0, 1, 6):
        training = make_training(patients(kit, count), kit.plan("prototypes"))
        results.append(train_privately(training, 4, 2))
    assert {(result.steps, result.private, frozenset(result.moments)) for result in results} == {
        (2, False, frozenset(results[0].moments))  # a site without notes names the same tensors as one with
    }
    assert {field.name for field in fields(PrivateResult)} == {"moments", "steps", "private"}


def test_the_plan_follows_from_the_registered_number_alone(private_config: Any) -> None:
    config = private_config("privacy.patients=32", "federation.rounds=5", "training.local_steps=4")
    plan = make_plan(config, 400)
    assert (plan.rate, plan.normaliser, plan.steps, plan.sensitivity) == (0.08, 32.0, 20, 1.0)
    groups = make_plan(private_config("privacy.mode=groups", "privacy.groups=7", "federation.rounds=1"), 400)
    assert (groups.normaliser, groups.sensitivity) == (7.0, 2.0)
    few = make_plan(
        private_config("federation.rounds=1"), 100
    )  # fewer than privacy.patients: all, in every step
    assert (few.rate, few.normaliser) == (1.0, 100.0)


def one_parameter(mode: str, kit: SimpleNamespace, source: Any, **changes: Any) -> tuple[Tensor, Any]:
    parameter = torch.nn.Parameter(torch.zeros(20_000))
    of = kit.plan(mode, clip=2.0, noise_multiplier=1.5, rate=0.5, patients=8, groups=5, **changes)
    return parameter, PrivateOptimizer(torch.optim.SGD([parameter], lr=1.0), of, source)


@pytest.mark.parametrize(("mode", "deviation"), [("prototypes", 1.5 * 2.0 / 4), ("groups", 1.5 * 4.0 / 5)])
@pytest.mark.parametrize("source", [OperatingSystem(), Seeded(0, "site")])
def test_noise_is_the_multiple_of_the_sensitivity_that_is_accounted_for(
    mode: str, deviation: float, source: Any, kit: SimpleNamespace
) -> None:
    parameter, optimizer = one_parameter(mode, kit, source)
    optimizer.release(0)
    assert float(parameter.detach().std()) == pytest.approx(deviation, rel=0.03)
    assert abs(float(parameter.detach().mean())) < 5 * deviation / 20_000**0.5
    first = parameter.detach().clone()
    optimizer.release(1)
    assert not torch.equal(parameter.detach(), 2 * first)  # each step has noise of its own


def test_the_sum_is_divided_by_the_constant_and_not_by_the_draw(kit: SimpleNamespace) -> None:
    for units in (1, 3):
        parameter, optimizer = one_parameter("prototypes", kit, Seeded(0, "site"))
        optimizer.noise_multiplier = 0.0
        for _ in range(units):
            parameter.grad = torch.full_like(parameter, 1.0)  # of norm 141, clipped to 2
            optimizer.contribute()
        optimizer.release(0)
        assert float(parameter.detach().norm()) == pytest.approx(units * 2.0 / 4.0, rel=1e-3)


def test_the_order_of_patients_changes_no_bit(kit: SimpleNamespace) -> None:
    generator = torch.Generator().manual_seed(0)
    gradients = torch.randn(30, 20_000, generator=generator) * torch.logspace(-6, 6, 30).unsqueeze(1)
    found = []
    for order in (range(30), reversed(range(30))):
        parameter, optimizer = one_parameter("prototypes", kit, Seeded(0, "site"))
        for index in order:
            parameter.grad = gradients[index].clone()
            optimizer.contribute()
        optimizer.release(0)
        found.append(parameter.detach().clone())
    assert torch.equal(*found)


def test_noised_sums_lie_on_the_grid(kit: SimpleNamespace) -> None:
    parameter, optimizer = one_parameter("prototypes", kit, OperatingSystem())
    seen = []
    optimizer.attach_step_hook(lambda o: seen.append(o.params[0].summed_grad))
    parameter.grad = torch.rand_like(parameter)
    optimizer.contribute()
    optimizer.release(0)
    assert seen[0].dtype == torch.int64
    assert int((seen[0] ** 2).sum() >> 20) <= GRID**2 >> 20


def test_a_patients_loss_ignores_who_else_is_there(make_training: Any, kit: SimpleNamespace) -> None:
    alone = make_training(patients(kit, 1), kit.plan("prototypes", rate=1.0))
    crowd = make_training(patients(kit, 6), kit.plan("prototypes", rate=1.0))
    sums: list[list[Tensor]] = []
    for training in (alone, crowd):
        units: list[list[Tensor]] = []
        contribute = training.optimizer.contribute

        def watched(units: Any = units, training: Any = training, contribute: Any = contribute) -> None:
            units.append([p.grad.clone() for p in training.optimizer.params if p.grad is not None])
            contribute()

        training.optimizer.contribute = watched
        training.step(0)
        sums.append(units[0])
    assert all(torch.equal(a, b) for a, b in zip(*sums, strict=True))


def test_public_examples_are_the_same_everywhere_and_equal_notes_are_no_negatives(
    make_objective: Any, bank: Any, notes: Any
) -> None:
    objective = PatientObjective(make_objective(), bank)
    assert objective.training
    cls = encode(bank, objective)
    assert objective.training
    assert {name: tuple(rows.shape) for name, rows in cls.items()} == dict.fromkeys(cls, (4, 16))
    assert bank.image.shape == (4, 3, 32, 32)
    from client.privacy.dp.prototypes import equal_notes

    own = notes(["No abnormality is recorded.", "Scar is present. Nevus is present."])
    assert equal_notes(own, bank.note).tolist() == [[True, False, False, False], [False] * 4]


def test_the_model_folder_says_what_is_promised_and_that_a_seed_promises_nothing(private_config: Any) -> None:
    config: Config = private_config()
    seeded = privacy_statement(config)
    assert seeded is not None
    assert seeded["private"] is False
    assert "protects nobody" in seeded["why"]
    real = privacy_statement(
        config.model_copy(update={"privacy": config.privacy.model_copy(update={"seeded": False})})
    )
    assert real is not None
    assert (real["private"], real["epsilon"], real["delta"], real["mode"]) == (True, 8.0, 1e-5, "prototypes")
    assert "patient" in real["unit"]
    assert real["not_covered"]
    off = config.model_copy(update={"privacy": config.privacy.model_copy(update={"enabled": False})})
    assert privacy_statement(off) is None
