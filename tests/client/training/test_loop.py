from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from client.data.dataset import SiteDataset
from client.training.loop import TrainingResult, train
from shared_model.config import Config
from shared_model.errors import RunError
from shared_model.exchange import local_tensors, shared_tensors
from shared_model.losses import Objective

MakeObjective = Callable[..., Objective]
SmallConfig = Callable[..., Config]


def run(objective: Objective, dataset: SiteDataset, config: Config, **values: Any) -> TrainingResult:
    given = {"site": "a", "seed": 0, "first_step": 0, "learning_rate": 1e-3} | values
    return train(objective, dataset, dataset.rows_of("train"), config.training, **given)


def tensors(objective: Objective) -> dict[str, Any]:
    return shared_tensors(objective) | local_tensors(objective)


def equal(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return all(np.array_equal(a[name], b[name]) for name in a)


def test_training_lowers_the_loss_and_reports_what_it_saw(
    small_objective: MakeObjective, small_config: SmallConfig, dataset: SiteDataset
) -> None:
    config = small_config("training.local_steps=12", "training.modality_dropout=0.0")
    objective = small_objective()
    first = run(objective, dataset, config, learning_rate=5e-3)
    second = run(objective, dataset, config, learning_rate=5e-3)  # the same twelve batches again
    assert second.loss < first.loss
    assert set(first.losses) == set(first.weights)
    assert first.loss == pytest.approx(
        sum(first.losses[n] * first.weights[n] for n in first.losses), rel=0.02
    )


def test_a_repeated_round_gives_the_same_weights_bit_for_bit(
    small_objective: MakeObjective, small_config: SmallConfig, dataset: SiteDataset
) -> None:
    config = small_config("model.fusion.dropout=0.2", "training.local_steps=3")
    results = []
    for noise in (1, 2):
        objective = small_objective("model.fusion.dropout=0.2")
        torch.manual_seed(noise)  # the process's own generator plays no part
        run(objective, dataset, config, first_step=6)
        results.append(tensors(objective))
    assert equal(*results)


@pytest.mark.parametrize("change", [{"seed": 1}, {"site": "b"}, {"first_step": 2}, {"learning_rate": 2e-3}])
def test_seed_site_step_and_rate_each_change_the_weights(
    change: dict[str, Any], small_objective: MakeObjective, small_config: SmallConfig, dataset: SiteDataset
) -> None:
    a, b = small_objective(), small_objective()
    run(a, dataset, small_config())
    run(b, dataset, small_config(), **change)
    assert not equal(tensors(a), tensors(b))


def test_training_leaves_the_processs_generator_alone(
    small_objective: MakeObjective, small_config: SmallConfig, dataset: SiteDataset
) -> None:
    before = torch.random.get_rng_state()
    run(small_objective(), dataset, small_config())
    assert torch.equal(before, torch.random.get_rng_state())


def test_frozen_parameters_do_not_move(
    small_objective: MakeObjective, small_config: SmallConfig, dataset: SiteDataset
) -> None:
    objective = small_objective("model.image.frozen_blocks=1", "model.text.frozen_blocks=1")
    before = {n: p.detach().clone() for n, p in objective.named_parameters()}
    run(objective, dataset, small_config())
    for name, parameter in objective.named_parameters():
        if not parameter.requires_grad:
            assert torch.equal(before[name], parameter)
    assert any(not torch.equal(before[n], p) for n, p in objective.named_parameters())


def test_the_gradient_norm_is_clipped(
    small_objective: MakeObjective,
    small_config: SmallConfig,
    dataset: SiteDataset,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    norms: list[float] = []
    step = torch.optim.AdamW.step

    def watched(self: torch.optim.AdamW, *args: Any) -> Any:
        gradients = [p.grad.flatten() for g in self.param_groups for p in g["params"] if p.grad is not None]
        norms.append(float(torch.cat(gradients).norm()))
        return step(self, *args)

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    run(small_objective(), dataset, small_config("training.gradient_norm=0.01"))
    assert len(norms) == 2
    assert all(norm <= 0.01 * 1.001 for norm in norms)


def test_a_proximal_term_keeps_the_weights_nearer_to_their_base(
    small_objective: MakeObjective, small_config: SmallConfig, dataset: SiteDataset
) -> None:
    moved = {}
    for mu in (0.0, 1.0, 100.0):
        objective = small_objective()
        before = tensors(objective)
        config = small_config(
            f"training.proximal={mu}", "training.local_steps=6", "training.gradient_norm=1e9"
        )
        run(objective, dataset, config)
        after = tensors(objective)
        moved[mu] = sum(float(np.square(after[n] - before[n]).sum()) for n in before)
    assert moved[0.0] > moved[1.0] > moved[100.0] > 0


def test_a_loss_that_is_no_number_stops_the_round(
    small_objective: MakeObjective, small_config: SmallConfig, dataset: SiteDataset
) -> None:
    objective = small_objective()
    with torch.no_grad():
        objective.model.joint_projection.weight.fill_(float("nan"))
    with pytest.raises(RunError, match=r"diverged[\s\S]*site a, step 4[\s\S]*learning_rate"):
        run(objective, dataset, small_config(), first_step=4)
