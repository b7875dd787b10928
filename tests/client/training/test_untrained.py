"""A site leaves alone what its records cannot train: neither decay nor a proximal term may move it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from client.data.dataset import SiteDataset
from client.data.images import ImageStore
from client.training.loop import TrainingResult, train
from client.training.untrained import trained_parts, untrained
from shared_model.config import Config
from shared_model.exchange import local_tensors, shared_tensors
from shared_model.losses import Objective
from shared_model.model import Tokenizer
from shared_model.model.parts import PARTS, part_of
from shared_model.records import STRUCTURED
from shared_model.statistics import Standardisation

MakeObjective = Callable[..., Objective]
SmallConfig = Callable[..., Config]
Lacking = Callable[..., SiteDataset]

SERVE = {
    "note": ("text_encoder", "text_projection", "text_decoder", "modality_type.text"),
    "structured": ("structured_encoder", "modality_type.structured"),
    "sdrg": ("heads.sdrg",),
}


@pytest.fixture
def lacking(
    records: pd.DataFrame, images: ImageStore, tokenizer: Tokenizer, standardisation: Standardisation
) -> Lacking:
    """The site's data set without some columns."""

    def make(*names: str) -> SiteDataset:
        columns = [c for name in names for c in (STRUCTURED if name == "structured" else (name,))]
        bare = records.copy()
        bare[columns] = bare[columns].mask(np.ones((len(bare), len(columns)), dtype=bool))
        return SiteDataset(bare, images, tokenizer, standardisation)

    return make


def trained(objective: Objective, dataset: SiteDataset, config: Config) -> TrainingResult:
    return train(
        objective,
        dataset,
        dataset.rows_of("train"),
        config.training,
        site="a",
        seed=0,
        first_step=0,
        learning_rate=1e-3,
    )


def serves(name: str, lacks: tuple[str, ...]) -> bool:
    parts = tuple(f"model.{part}" for lack in lacks for part in SERVE[lack])
    return bool(parts) and name.startswith(parts)


@pytest.mark.parametrize("proximal", [0.0, 5.0])
@pytest.mark.parametrize("lacks", [(), ("note",), ("structured",), ("note", "structured"), ("sdrg",)])
def test_exactly_what_no_record_serves_comes_back_as_it_came(
    lacks: tuple[str, ...],
    proximal: float,
    small_objective: MakeObjective,
    small_config: SmallConfig,
    lacking: Lacking,
) -> None:
    objective, dataset = small_objective(), lacking(*lacks)
    before = shared_tensors(objective) | local_tensors(objective)
    config = small_config(
        f"training.proximal={proximal}", "training.weight_decay=0.1", "training.local_steps=4"
    )
    result = trained(objective, dataset, config)
    after = shared_tensors(objective) | local_tensors(objective)
    kept = {name for name in before if after[name].tobytes() == before[name].tobytes()}
    assert kept == result.untrained == {name for name in before if serves(name, lacks)}
    assert not any(name.split(".", 1)[1] in kept for name in result.moments)


def test_only_the_rows_trained_on_decide(
    small_objective: MakeObjective, lacking: Lacking, dataset: SiteDataset
) -> None:
    objective, noted = small_objective(), np.flatnonzero((dataset.note_group >= 0).numpy())
    bare = np.flatnonzero((dataset.note_group < 0).numpy())
    assert not untrained(objective, dataset, noted)
    assert not untrained(objective, dataset, np.append(bare, noted[0]))
    assert all(serves(name, ("note",)) for name in untrained(objective, dataset, bare))
    assert untrained(objective, dataset, bare)


def test_the_weights_of_losses_that_a_site_cannot_have_stay_put(
    small_objective: MakeObjective, small_config: SmallConfig, lacking: Lacking
) -> None:
    """Of the paper's softmax weights a photographs-only site moves those of its two losses; decay is all the rest."""
    settings = ("losses.weighting=softmax", "training.weight_decay=0.01", "training.proximal=0.0")
    objective, dataset = small_objective(settings[0]), lacking("note", "structured")
    alpha = objective.weighting.alpha
    alpha.data.fill_(0.5)
    config = small_config(*settings, "training.local_steps=4")
    result = trained(objective, dataset, config)
    assert set(result.losses) == set(result.weights) == {"image_reconstruction", "grading"}
    assert sum(result.weights.values()) == pytest.approx(1)
    moved = (alpha.detach() - 0.5 * (1 - 1e-3 * 0.01) ** 4).abs()
    assert moved[[3, 5]].min() > 1e-4
    assert moved[[0, 1, 2, 4]].max() < 1e-7


@pytest.mark.parametrize("without", [(), ("note",), ("structured",), ("sdrg", "note")])
def test_the_parts_that_a_site_says_it_trains_are_those_it_does_not_leave_alone(
    without: tuple[str, ...], small_objective: MakeObjective, lacking: Lacking
) -> None:
    objective, dataset = small_objective(), lacking(*without)
    said = trained_parts(dataset.table, private=False)
    idle = untrained(objective, dataset, dataset.rows_of("train"))
    trainable = [name for name, parameter in objective.named_parameters() if parameter.requires_grad]
    assert idle == {name for name in trainable if (part := part_of(name)) is not None and part not in said}
    assert trained_parts(dataset.table, private=True) == PARTS
