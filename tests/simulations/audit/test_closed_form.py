"""What first layers give away of one patient's gradient: form and photograph exactly, and nothing where they stay."""

from __future__ import annotations

import pytest
import torch

from shared_model.config import load_config
from shared_model.losses import Batch, Objective
from shared_model.model import TextBatch, build_model, load_tokenizer
from simulations.audit import closed_form, words
from simulations.audit.attacker import Attacker
from simulations.audit.exposures import Exposure, gradient_of
from simulations.audit.inversion import TRUST, control
from simulations.audit.likeness import likeness
from simulations.audit.views import View

SMALL = (
    "model.image.size=64",
    "model.image.width=32",
    "model.image.depth=1",
    "model.text.width=32",
    "model.fusion={width=32, depth=1, heads=4, feed_forward=32, dropout=0.0, joint=32}",
    "model.decoders.image_channels=[8, 8]",
)
NOTE = "Scar is present. Drusen is present."


@pytest.fixture(scope="module")
def attacker() -> Attacker:
    view: View = control(load_config("tiny", overrides=SMALL))
    torch.manual_seed(0)
    objective = Objective(build_model(view.config.model, seed=0), view.config.losses)
    return Attacker(view.config, objective, load_tokenizer(objective.model))


@pytest.fixture(scope="module")
def batch(attacker: Attacker) -> Batch:
    generator = torch.Generator().manual_seed(1)
    note: TextBatch = attacker.tokenizer([NOTE])
    return Batch(
        image=torch.rand(1, 3, 64, 64, generator=generator) - 0.5,
        note=note,
        masked_note=note,
        note_group=torch.zeros(1, dtype=torch.long),
        structured=torch.randn(1, 6, generator=generator),
        present={name: torch.ones(1, dtype=torch.bool) for name in ("image", "text", "structured")},
        labels={"icdr": torch.tensor([3]), "sdrg": torch.tensor([2])},
    )


@pytest.fixture(scope="module")
def gradient(attacker: Attacker, batch: Batch) -> dict[str, torch.Tensor]:
    return {name: part.detach() for name, part in gradient_of(attacker, batch, create_graph=False).items()}


def test_a_form_is_read_exactly(batch: Batch, gradient: dict[str, torch.Tensor]) -> None:
    found = closed_form.form(gradient)
    assert found is not None
    assert torch.allclose(found, batch.structured[0], atol=1e-4)


def test_a_photograph_is_read_to_the_eye(batch: Batch, gradient: dict[str, torch.Tensor]) -> None:
    found = closed_form.photograph(gradient, torch.zeros(1, 3, 64, 64), TRUST)
    assert found is not None
    assert likeness(found + 0.5, batch.image + 0.5)["psnr"] > 40


def test_nothing_is_read_where_the_first_layer_stays(gradient: dict[str, torch.Tensor]) -> None:
    rest = {name: part for name, part in gradient.items() if "patch_embed" not in name and "mlp" not in name}
    assert closed_form.form(rest) is None
    assert closed_form.photograph(rest, torch.zeros(1, 3, 64, 64), TRUST) is None


def test_the_words_of_a_note_are_read_in_the_embeddings_and_in_the_decoder(
    attacker: Attacker, gradient: dict[str, torch.Tensor]
) -> None:
    base = {name: p.detach().numpy() for name, p in attacker.objective.named_parameters()}
    exposure = Exposure("gradient", base, gradient, {})
    found = words.evidence(exposure)
    assert set(found) == {words.EMBEDDINGS, words.DECODER}
    guessed = words.frequencies(attacker.tokenizer, ["Nevus is present."])
    for scores in found.values():
        figures = words.figures(scores, [NOTE], "Drusen", attacker.tokenizer, guessed)
        assert figures["recall"] == 1.0
        assert figures["rare_found"]
        assert figures["recall_frequent"] < 1.0


def test_words_are_found_beside_weight_decay() -> None:
    """AdamW shrinks every row alike; only those that moved otherwise tell of a note."""
    base = torch.randn(50, 8, generator=torch.Generator().manual_seed(2))
    moved = 1e-4 * base
    moved[[7, 30]] += 1e-4
    name = "model.text_encoder.encoder.embeddings.word_embeddings.weight"
    scores = words.evidence(Exposure("one patient", {name: base.numpy()}, {name: moved}, {}))
    assert set(scores[words.EMBEDDINGS].argsort()[-2:].tolist()) == {7, 30}
