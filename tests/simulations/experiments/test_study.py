"""A study trains each model once, keeps it, and goes on where it was interrupted."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from safetensors.numpy import load_file

import client.worker.worker as worker_module
from server.store import RunFolder
from shared_model.config import Config, load_config
from shared_model.config.variants import variants
from shared_model.errors import ConfigError, RunError
from shared_model.progress import RunProgress
from simulations.experiments import Experiment, Study, in_modes, modes_of
from simulations.experiments.study import STORE
from simulations.run import Run
from tests.simulations.conftest import SMALL

SETS = [*SMALL.split(), "federation.rounds=1", "runtime.jobs=1", "evaluation.resamples=20"]


def config(variant: str = "full", *overrides: str, **values: object) -> Config:
    rounds = {"federation__rounds": 0} if variant == "clip_zero_shot" else {}
    return load_config("tiny", variant=variant, overrides=[*SETS, *overrides], **rounds, **values)


@pytest.fixture
def study(synthetic: Path, tmp_path: Path) -> Callable[[], Study]:
    return lambda: Study(synthetic, tmp_path / "work", config(), RunProgress(Console(file=io.StringIO())))


@pytest.mark.parametrize("name", variants())
def test_every_variant_is_trained_and_read(name: str, study: Callable[[], Study]) -> None:
    one = Experiment(name, "federated", config(name))
    result = study().run([one])[one]
    assert not result.failed
    inputs = one.config.model.inputs
    figures = result.figures()
    assert figures["icdr"]["quadratic_weighted_kappa"] is not None
    assert (figures["icdr"]["by_input"]["image"]["n"] > 0) == ("image" in inputs)
    retrieved = figures["retrieval"]["unimodal"]["text_to_image"]["recall_at_1"] is not None
    assert retrieved == ({"image", "text"} <= set(inputs))
    assert set(result.document["origin"]) == set(inputs) & {"image", "text"}
    assert all(where == "random weights" for where in result.document["origin"].values())


def test_the_federated_model_of_a_study_is_that_of_a_run(
    study: Callable[[], Study], synthetic: Path, tmp_path: Path
) -> None:
    one = Experiment("full", "federated", config())
    ours = RunFolder(study().run([one])[one].folder).load_weights("last")
    alone = config("full", "evaluation.comparison=false")
    Run(alone, synthetic, tmp_path / "run", RunProgress(Console(file=io.StringIO()))).execute()
    runs = load_file(tmp_path / "run" / "model" / "model.safetensors")
    assert ours.keys() <= runs.keys()
    assert all(np.array_equal(ours[name], runs[name]) for name in ours)


def test_a_finished_model_is_not_trained_again(study: Callable[[], Study], trained: list[str]) -> None:
    first = Experiment("full", "federated", config())
    before = study().run([first])[first]
    assert len(trained) == 3
    # Asked for under another name, beside a model that is not there yet, by a study begun anew.
    again, other = Experiment("again", "federated", config()), Experiment("full", "pooled", config())
    found = study().run([again, other])
    assert trained[3:] == ["pooled"]
    assert found[again].figures() == before.figures()


def test_an_interruption_costs_the_model_under_way_and_no_other(
    study: Callable[[], Study], trained: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [Experiment(name, "federated", config(name)) for name in ("vision", "text")]
    with monkeypatch.context() as patch:
        original = worker_module.validate

        def interrupted(*arguments: object, **named: object) -> object:
            if len(trained) == 4:
                raise KeyboardInterrupt
            return original(*arguments, **named)

        patch.setattr(worker_module, "validate", interrupted)
        with pytest.raises(KeyboardInterrupt):
            study().run(wanted)
    assert len(trained) == 4
    found = study().run(wanted)
    assert len(trained) == 4 + 3  # the second model again, the first not
    assert all(result.figures() for result in found.values())


def test_other_intervals_read_the_model_anew_without_training_it(
    study: Callable[[], Study], trained: list[str]
) -> None:
    study().run([Experiment("vision", "federated", config("vision"))])
    finer = Experiment("vision", "federated", config("vision", "evaluation.resamples=30"))
    assert study().run([finer])[finer].document["reading"].split()[1] == "30"
    assert len(trained) == 3


def test_a_model_that_fails_is_told_of_and_the_others_are_trained(
    study: Callable[[], Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = worker_module.train

    def train(objective: object, *rest: object, **named: object) -> object:
        if named["seed"] == 1:
            raise RunError("training diverged: the loss is no longer a number")
        return original(objective, *rest, **named)

    monkeypatch.setattr(worker_module, "train", train)
    bad, good = (Experiment("vision", "pooled", config("vision", seed=seed)) for seed in (1, 0))
    ours = study()
    found = ours.run([bad, good])
    assert "diverged" in found[bad].failed
    ours.finish(found.values())
    assert (ours.folder / STORE).exists()  # whoever mends it trains the rest without reading them again
    ours.finish([found[good]])
    assert [path for path in ours.folder.iterdir() if path.name == STORE] == []
    assert study().run([good])[good].figures() == found[good].figures()
    assert not found[bad].figures()
    assert found[good].figures()


def test_modes_of_a_configuration() -> None:
    sites = ["a", "b"]
    modes = modes_of("federated, local")
    assert [one.mode for one in in_modes("full", config(), modes, sites)] == [
        "federated",
        "local:a",
        "local:b",
    ]
    assert len(in_modes("clip_zero_shot", config("clip_zero_shot"), modes, sites)) == 1
    with pytest.raises(ConfigError, match="no mode 'peer'"):
        modes_of("federated,peer")
    with pytest.raises(ConfigError, match="no mode is named"):
        modes_of(" ")
