from __future__ import annotations

import pytest
import torch

from shared_model import build_model, load_config
from shared_model.artefact import count_parameters
from shared_model.exchange import parameter_kinds
from shared_model.losses import Objective
from shared_model.model import FusionModel, TextBatch


@pytest.fixture(scope="module")
def paper() -> FusionModel:
    return build_model(load_config("paper").model, pretrained=False).eval()


def trainable(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def test_the_paper_model_has_the_papers_shapes(paper: FusionModel) -> None:
    text = TextBatch(torch.randint(1, 28996, (1, 128)), torch.ones(1, 128, dtype=torch.long))
    with torch.no_grad():
        image = paper.embed_image(torch.randn(1, 3, 224, 224))
        note = paper.embed_text(text)
        encoding = paper.fuse(
            {"image": image, "text": note, "structured": paper.embed_structured(torch.zeros(1, 6))}
        )
        rebuilt = paper.image_decoder(encoding.cls["image"])
        next_token = paper.text_decoder(encoding.cls["text"], text.ids[:, :-1])
    assert image.tokens.shape == (1, 197, 256)
    assert note.tokens.shape == (1, 51, 256)
    assert encoding.joint.shape == (1, 256)
    assert {task: logits.shape for task, logits in paper.grade(encoding).items()} == {
        "icdr": (1, 5),
        "sdrg": (1, 5),
    }
    assert rebuilt.shape == (1, 3, 224, 224)
    assert next_token.shape == (1, 127, 28996)
    assert len(paper.fusion.layers) == 6
    assert all(layer.self_attn.num_heads == 8 for layer in paper.fusion.layers)


def test_the_paper_model_has_the_papers_parameters(paper: FusionModel) -> None:
    counts = count_parameters(Objective(paper, load_config("paper").losses))
    assert counts["total"] == pytest.approx(215.6e6, rel=0.01)
    assert counts["trainable"] == pytest.approx(50.4e6, rel=0.01)
    assert counts["total"] == counts["trunk"] + counts["shared"] + counts["local"]
    assert counts["trainable"] == counts["shared"] + counts["local"]


def test_ten_of_twelve_blocks_and_the_embeddings_are_frozen(paper: FusionModel) -> None:
    for blocks in (paper.image_encoder.vit.blocks, paper.text_encoder.encoder.encoder.layer):
        assert [trainable(block) > 0 for block in blocks] == [False] * 10 + [True] * 2
        assert all(p.requires_grad for block in blocks[10:] for p in block.parameters())
    assert trainable(paper.text_encoder.encoder.embeddings) == 0
    assert trainable(paper.image_encoder.vit.patch_embed) == 0
    assert not paper.image_encoder.vit.pos_embed.requires_grad
    assert not paper.image_encoder.vit.cls_token.requires_grad


def test_the_paper_models_trunk_and_decoders_do_not_travel(paper: FusionModel) -> None:
    kinds = parameter_kinds(Objective(paper, load_config("paper").losses))
    shared = {name for name, kind in kinds.items() if kind == "shared"}
    assert "weighting.alpha" in shared  # the softmax weights are learnt together
    assert not any("decoder" in name or "embeddings" in name for name in shared)
    assert {name.split(".")[1] for name, kind in kinds.items() if kind == "local"} == {
        "image_decoder",
        "text_decoder",
    }
    assert {name.split(".")[1] for name, kind in kinds.items() if kind == "trunk"} == {
        "image_encoder",
        "text_encoder",
    }
