"""Small sites of made-up patients, ordinary and hostile, and two worlds that differ by one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor

from client.privacy.dp.bank import Bank
from client.privacy.dp.plan import Plan
from client.privacy.dp.randomness import Seeded
from client.privacy.dp.step import GRID
from client.privacy.dp.training import PrivateTraining
from shared_model.config import Config
from shared_model.losses import Batch, Objective
from shared_model.model import Tokenizer
from shared_model.records import TASKS

SIZE = 32
PRIVATE = (
    "model.image={size=32, width=16, depth=1, heads=2, name='vit_tiny_patch16_224', stem='convolutional', "
    "frozen_blocks=0}",
    "model.text={vocabulary=1024, width=16, depth=1, heads=2, feed_forward=24, maximum_tokens=16, kept_tokens=12, "
    "frozen_blocks=0, freeze_embeddings=true}",
    "model.structured.hidden=[8]",
    "model.fusion={width=16, depth=1, heads=2, feed_forward=24, dropout=0.1, joint=16}",
    "model.decoders={image_channels=[4, 4], text_layers=1, text_heads=2, text_feed_forward=16}",
    "model.local=[]",
    "training.learning_rate=0.01",
    "privacy={enabled=true, seeded=true, bank=4, records=3}",
)
# A frozen image encoder, a frozen text encoder and one loss: what the preset `private` trains.
TOGETHER = (
    "model.image={size=32, width=16, depth=1, heads=2, name='vit_tiny_patch16_224', stem='convolutional', "
    "frozen_blocks=1}",
    "model.text={vocabulary=1024, width=16, depth=1, heads=2, feed_forward=24, maximum_tokens=16, kept_tokens=12, "
    "frozen_blocks=1, freeze_embeddings=true}",
    "model.fusion={width=16, depth=1, heads=2, feed_forward=24, dropout=0.0, joint=16}",
    "model.decoders.enabled=false",
    "losses.weighting=fixed",
    "losses.fixed={image_text=0.0, image_structured=0.0, text_structured=0.0, image_reconstruction=0.0, "
    "text_reconstruction=0.0, grading=1.0}",
    "training.modality_dropout=0.3",
)
SENTENCES = ("Scar is present.", "Nevus is present.", "Drusen is present.", "No abnormality is recorded.")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--privacy-cases", type=int, default=None, help="random data sets of the sensitivity test"
    )


@dataclass
class Record:
    patient: str
    image: Tensor
    note: str | None
    structured: Tensor
    labels: tuple[int, int]
    gain: float = 1.0  # of the photograph, after augmentation: how a hostile record passes its clamp


class Patients:
    """What PrivateTraining asks of a SiteDataset, from records in memory."""

    def __init__(self, records: Sequence[Record], tokenizer: Tokenizer) -> None:
        self.records = list(records)
        self.table = pd.DataFrame({"patient_id": [record.patient for record in records]})
        self._tokenizer = tokenizer

    def batch(self, rows: Sequence[int], augmentation: Callable[[Tensor], Tensor] | None = None) -> Batch:
        some = [self.records[row] for row in rows]
        image = torch.stack([record.image for record in some])
        image = augmentation(image) if augmentation else image
        notes = self._tokenizer([record.note or "" for record in some])
        group = [SENTENCES.index(r.note) if r.note in SENTENCES else -1 for r in some]
        present = {
            "image": torch.ones(len(some), dtype=torch.bool),
            "text": torch.tensor([record.note is not None for record in some]),
            "structured": torch.ones(len(some), dtype=torch.bool),
        }
        return Batch(
            image=image * torch.tensor([r.gain for r in some]).view(-1, 1, 1, 1),
            note=notes,
            masked_note=notes,
            note_group=torch.tensor(group),
            structured=torch.stack([record.structured for record in some]),
            present=present,
            labels={task: torch.tensor([r.labels[i] for r in some]) for i, task in enumerate(TASKS)},
        )


def ordinary(name: str, generator: torch.Generator) -> list[Record]:
    """One to three records of noise; some lack the note or a label."""
    count = int(torch.randint(1, 4, (), generator=generator))
    records = []
    for _ in range(count):
        note = int(torch.randint(0, len(SENTENCES) + 1, (), generator=generator))
        labels = torch.randint(-1, 5, (2,), generator=generator)
        records.append(
            Record(
                name,
                torch.rand(3, SIZE, SIZE, generator=generator),
                SENTENCES[note] if note < len(SENTENCES) else None,
                torch.randn(6, generator=generator),
                (int(labels[0]), int(labels[1])),
            )
        )
    return records


def hostile(kind: str, name: str, others: Sequence[Record], generator: torch.Generator) -> list[Record]:
    """A patient made to break the bound."""
    plain = ordinary(name, generator)
    match kind:
        case "ordinary":
            return plain
        case "duplicated":
            return [replace(record, patient=name) for record in others] * 3
        case "huge":
            return [replace(r, gain=1e15, structured=r.structured * 1e18, labels=(4, 4)) for r in plain]
        case "overflowing":
            return [replace(r, gain=1e38, structured=r.structured * 3e38) for r in plain]
        case "constant":
            return [
                replace(r, image=torch.ones(3, SIZE, SIZE), structured=torch.zeros(6), note=SENTENCES[3])
                for r in plain * 4
            ]
        case "nan":
            return [replace(r, structured=torch.full((6,), float("nan")), gain=float("inf")) for r in plain]
    raise AssertionError(kind)


HOSTILE = ("ordinary", "duplicated", "huge", "overflowing", "constant", "nan")


def plan(mode: str, **changes: Any) -> Plan:
    """A plan of a few patients and little noise, so that steps go far."""
    found = Plan(
        mode=mode,  # type: ignore[arg-type]
        patients=8,
        rate=0.8,
        clip=1.0,
        noise_multiplier=0.3,
        groups=2,
        records=3,
        steps=10,
        epsilon=8.0,
        delta=1e-5,
    )
    return replace(found, **changes)


@pytest.fixture(scope="session")
def private_config(small_config: Callable[..., Config]) -> Callable[..., Config]:
    return lambda *overrides: small_config(*PRIVATE, *overrides)


@pytest.fixture(scope="session")
def make_objective(private_config: Callable[..., Config]) -> Callable[..., Objective]:
    from shared_model.model import build_model

    def make(*overrides: str, seed: int = 0) -> Objective:
        config = private_config(*overrides)
        return Objective(build_model(config.model, seed=seed), config.losses)

    return make


@pytest.fixture(scope="session")
def bank(private_config: Callable[..., Config]) -> Bank:
    from client.privacy.dp.bank import public_bank
    from shared_model.model import build_model, load_tokenizer
    from shared_model.statistics import Standardisation

    six, three = (0.0,) * 6, (0.5,) * 3
    scale = Standardisation(six, (1.0,) * 6, six, (True,) * 6, three, three, {})
    return public_bank(4, SIZE, load_tokenizer(build_model(private_config().model)), scale)


@pytest.fixture(scope="session")
def notes(private_config: Callable[..., Config]) -> Tokenizer:
    from shared_model.model import build_model, load_tokenizer

    return load_tokenizer(build_model(private_config().model))


MakeTraining = Callable[..., PrivateTraining]


@pytest.fixture(scope="session")
def make_training(
    private_config: Callable[..., Config],
    make_objective: Callable[..., Objective],
    bank: Bank,
    notes: Tokenizer,
) -> MakeTraining:
    def make(
        records: Sequence[Record], of: Plan, *overrides: str, seed: int = 0, one_at_a_time: bool = False
    ) -> PrivateTraining:
        config = private_config(f"privacy.mode={of.mode}", *overrides)
        site = Patients(records, notes)
        rows = torch.arange(len(records)).numpy()
        randomness = Seeded(seed, "site")
        objective = make_objective(*overrides)
        return PrivateTraining(
            objective,
            site,  # type: ignore[arg-type]
            rows,
            config,
            of,
            randomness,
            bank,
            learning_rate=config.training.learning_rate,
            one_at_a_time=one_at_a_time,
        )

    return make


class Worlds:
    """Training with and without one patient, whose released numbers are made to be the same.

    Differential privacy compares the two on one and the same output, so the noised gradients of the first world are
    put into the second. What differs between them after that is what an update carries unseen.
    """

    def __init__(self, without: PrivateTraining, with_one: PrivateTraining) -> None:
        self.pair = (without, with_one)
        self.sums: list[list[Tensor]] = [[], []]
        self._released: list[Tensor] = []
        for index, training in enumerate(self.pair):
            self._watch(index, training)

    def step(self, number: int) -> float:
        """The distance of the clipped sums of this step, in clipping norms: exact, and so is the comparison."""
        for training in self.pair:
            training.step(number)
        return distance(*self.sums)

    def same_weights(self) -> bool:
        """Whether everything that was released is the same in both."""
        a, b = (world.optimizer.params for world in self.pair)
        return all(torch.equal(p, q) for p, q in zip(a, b, strict=True))

    def _watch(self, index: int, training: PrivateTraining) -> None:
        optimizer = training.optimizer
        add_noise = optimizer.add_noise

        def watched() -> None:
            self.sums[index] = [parameter.summed_grad.clone() for parameter in optimizer.params]
            if index == 0:
                add_noise()
                self._released = [parameter.grad.clone() for parameter in optimizer.params]
            else:
                for parameter, gradient in zip(optimizer.params, self._released, strict=True):
                    parameter.grad = gradient.clone()

        optimizer.add_noise = watched


def distance(a: Sequence[Tensor], b: Sequence[Tensor]) -> float:
    """The norm of the difference of two integer sums over GRID, rounded up only where it is above a whole number."""
    square = 0
    for one, other in zip(a, b, strict=True):
        square += sum(value * value for value in (one - other).flatten().tolist() if value)
    whole = next((n for n in (1, 2) if square <= (n * GRID) ** 2), None)
    found = float(square) ** 0.5 / GRID
    return min(found, whole) if whole is not None else max(found, 2 + 1e-12)


@pytest.fixture(scope="session")
def kit() -> SimpleNamespace:
    """The functions of this file, for the tests beside it."""
    return SimpleNamespace(
        Record=Record,
        Patients=Patients,
        Worlds=Worlds,
        ordinary=ordinary,
        hostile=hostile,
        plan=plan,
        distance=distance,
        HOSTILE=HOSTILE,
        TOGETHER=TOGETHER,
    )
