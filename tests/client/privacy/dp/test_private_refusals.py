"""What cannot be trained privately is refused before the first step, by the key at fault."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import torch
from torch import nn

from client.privacy.dp.plan import make_plan
from client.privacy.dp.refusals import Unmoved, require_all_in_step
from shared_model import load_config
from shared_model.errors import ConfigError, DataError, RunError
from shared_model.losses import Objective
from shared_model.private_training import problems, require_private


@pytest.mark.parametrize(
    ("overrides", "where"),
    [
        (("losses.contrastive_source=paired",), "losses.contrastive_source"),
        (("federation.strategy=fedprox",), "federation.strategy"),
    ],
)
def test_a_configuration_that_cannot_have_it_is_refused(
    overrides: tuple[str, ...], where: str, private_config: Any, make_objective: Any
) -> None:
    with pytest.raises(ConfigError) as caught:
        require_private(private_config(*overrides), make_objective(*overrides))
    assert caught.value.where == where
    assert caught.value.fix


def test_what_suits_is_let_pass(private_config: Any, make_objective: Any) -> None:
    for overrides in (
        (),
        ("losses.weighting=uncertainty",),
        ("privacy.mode=groups", "losses.contrastive_source=paired"),
        ("federation.strategy=fedprox", "training.proximal=0.0"),
    ):
        assert list(problems(private_config(*overrides), make_objective(*overrides))) == []


def test_a_loss_that_nobody_has_looked_at_is_refused(private_config: Any, make_objective: Any) -> None:
    class Ranking(Objective):
        """Compares patients with each other."""

    objective = make_objective()
    strange = Ranking(objective.model, objective.config)
    with pytest.raises(ConfigError, match="the loss Ranking is not known to keep patients apart"):
        require_private(private_config(), strange)
    objective.wanted = {"grading", "ranking"}
    with pytest.raises(ConfigError, match="the loss ranking is not known"):
        require_private(private_config(), objective)


def test_batch_normalisation_is_refused_with_the_key_of_its_model(
    private_config: Any, make_objective: Any
) -> None:
    objective = make_objective()
    objective.model.image_encoder.extra = nn.BatchNorm2d(4)
    with pytest.raises(ConfigError, match=r"image_encoder\.extra normalises over other records") as caught:
        require_private(private_config(), objective)
    assert caught.value.where == "model.image"


def test_a_model_with_nothing_to_train_is_refused(private_config: Any, make_objective: Any) -> None:
    with pytest.raises(ConfigError, match="nothing is left to train"):
        require_private(private_config(), make_objective().requires_grad_(False))


@pytest.mark.parametrize(
    ("part", "where"),
    [
        ("text_decoder", "model.decoders.enabled"),
        ("weighting", "losses.weighting"),
        ("image_encoder", "model.image"),
        ("heads.icdr.weight", "model.heads.icdr.weight"),
    ],
)
def test_a_parameter_beside_the_step_is_refused_unless_frozen(
    part: str, where: str, make_objective: Any
) -> None:
    objective = make_objective("losses.weighting=uncertainty")
    named = dict(objective.named_parameters())
    inside = torch.optim.SGD([p for name, p in named.items() if part not in name], lr=0.1)
    with pytest.raises(ConfigError, match="outside the clipped and noised step") as caught:
        require_all_in_step(objective, inside)
    assert caught.value.where == where
    for name, parameter in named.items():
        parameter.requires_grad_(part not in name)
    require_all_in_step(objective, inside)


def test_a_forward_pass_that_keeps_something_of_its_input_stops_the_round(make_objective: Any) -> None:
    objective = make_objective()
    objective.register_buffer("mean_seen", torch.zeros(3))
    unmoved = Unmoved(objective)
    unmoved.require()
    objective.mean_seen.add_(1.0)
    with pytest.raises(RunError, match="mean_seen changed during private training"):
        unmoved.require()
    frozen = make_objective()
    frozen.model.heads.requires_grad_(False)
    unmoved = Unmoved(frozen)
    with torch.no_grad():
        frozen.model.heads["icdr"].bias.add_(1.0)
    with pytest.raises(RunError, match=r"heads\.icdr\.bias changed"):
        unmoved.require()


def test_zero_patients_are_refused(private_config: Any) -> None:
    with pytest.raises(DataError, match="there are no patients to train on"):
        make_plan(private_config(), 0)


def test_a_delta_above_one_in_the_number_of_patients_is_warned_about(
    private_config: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        make_plan(private_config("privacy.delta=1e-3", "federation.rounds=1"), 500)
    assert caplog.text == ""
    with caplog.at_level(logging.WARNING):
        make_plan(private_config("privacy.delta=1e-2", "federation.rounds=1"), 500)
    assert "above 1 / 500 patients" in caplog.text
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("epsilon", "0"),
        ("epsilon", "-1"),
        ("epsilon", "1e-9"),
        ("epsilon", "101"),
        ("epsilon", "inf"),
        ("delta", "0"),
        ("delta", "1"),
        ("delta", "nan"),
        ("clip", "0"),
        ("patients", "0"),
        ("groups", "0"),
        ("mode", "fixed-batches"),
    ],
)
def test_a_value_out_of_range_is_one_message_with_its_key(key: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"privacy.{key}"):
        load_config("tiny", overrides=[f"privacy.{key}={value}"])


def test_it_is_off_unless_it_is_asked_for() -> None:
    for preset in ("paper", "tiny"):
        assert not load_config(preset).privacy.enabled
