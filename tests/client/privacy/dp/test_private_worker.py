"""A worker of a private run: what it answers with, and that nothing but a private run trains privately."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from client.worker import Worker
from client.worker.simulated import SITES, open_worker
from server.guard.report import report_problem
from shared_model.config import Config
from shared_model.errors import ConfigError, RunError
from shared_model.exchange import Payload, shared_tensors
from shared_model.losses import Objective
from shared_model.model import build_model
from shared_model.statistics import Standardisation
from simulations.baselines import alone

PRIVATE = ("privacy.enabled=true", "privacy.patients=6", "privacy.bank=4", "model.local=[]")


def ask(config: Config, standardisation: Standardisation) -> Payload:
    fresh = Objective(build_model(config.model, seed=config.seed), config.losses)
    fields = {"round": 1, "learning_rate": 1e-3, "standardisation": standardisation.to_dict()}
    return Payload(shared_tensors(fresh), fields)


@pytest.mark.parametrize("mode", ["prototypes", "groups"])
@pytest.mark.parametrize("seeded", ["true", "false"])
def test_a_private_round_answers_with_an_update_and_no_losses(
    mode: str,
    seeded: str,
    small_config: Callable[..., Config],
    workspace: Any,
    standardisation: Standardisation,
) -> None:
    config = small_config(*PRIVATE, f"privacy.mode={mode}", f"privacy.seeded={seeded}")
    answers = []
    for name in ("one", "two"):
        root, _ = workspace(config, name)
        site = next(iter(json.loads((root / SITES).read_text())))
        worker = open_worker(root, site)
        registered = worker.join().fields["examples"]
        answers.append(worker.train(ask(config, standardisation)))
        fields = answers[-1].fields
        assert fields["examples"] == registered
        assert (fields["loss"], fields["losses"]) == (0.0, {})
        assert fields["seconds"] == 0.0  # it would say how many patients were drawn
        assert "untrained" not in fields
        assert report_problem(fields) is None
    same = all(np.array_equal(answers[0].arrays[n], answers[1].arrays[n]) for n in answers[0].arrays)
    assert same == (seeded == "true")


def test_a_site_that_is_not_set_up_for_it_refuses_a_private_run(
    small_config: Callable[..., Config], records: Any, images: Any, tmp_path: Any
) -> None:
    with pytest.raises(ConfigError, match="no privacy budget") as caught:
        Worker("a", records, images, small_config("privacy.enabled=true"), tmp_path)
    assert caught.value.where == "privacy.enabled"


def test_rounds_beyond_the_plan_are_refused_the_same_round_again_too(
    small_config: Callable[..., Config], workspace: Any, standardisation: Standardisation
) -> None:
    config = small_config(*PRIVATE, "privacy.seeded=true", "federation.rounds=1")
    root, _ = workspace(config)
    worker = open_worker(root, next(iter(json.loads((root / SITES).read_text()))))
    worker.train(ask(config, standardisation))
    with pytest.raises(RunError, match="the privacy budget of this run is for 2 steps, and they are taken"):
        worker.train(ask(config, standardisation))


def test_floor_and_ceiling_of_a_private_run_are_trained_plainly(small_config: Callable[..., Config]) -> None:
    assert not alone(small_config("privacy.enabled=true"), 2).privacy.enabled
