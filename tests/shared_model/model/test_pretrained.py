from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModel,
    BertConfig,
    BertForMaskedLM,
    BertTokenizer,
    DistilBertConfig,
    RobertaConfig,
)

from shared_model.config import Config
from shared_model.errors import ConfigError
from shared_model.model import build_model, load_tokenizer

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "retina", "scar", "."]


@pytest.fixture(scope="module")
def vit_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A timm ViT with its classification head, as its authors would publish it."""
    folder = tmp_path_factory.mktemp("vit")
    torch.manual_seed(1)
    vit = timm.create_model(
        "vit_tiny_patch16_224", img_size=64, embed_dim=32, depth=2, num_heads=2, num_classes=7
    )
    save_file(vit.state_dict(), folder / "model.safetensors")
    return folder


@pytest.fixture(scope="module")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small masked language model and its tokenizer, as transformers saves them."""
    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(2)
    shape = BertConfig(
        vocab_size=8, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24
    )
    BertForMaskedLM(shape).save_pretrained(folder)
    save_tokenizer(folder)
    return folder


def save_tokenizer(folder: Path) -> None:
    (folder / "words.txt").write_text("\n".join(WORDS))
    BertTokenizer(vocab=str(folder / "words.txt"), do_lower_case=False).save_pretrained(folder)


@pytest.fixture
def config(small_config: Callable[..., Config], vit_folder: Path, bert_folder: Path) -> Callable[..., Config]:
    def make(*overrides: str) -> Config:
        return small_config(
            "model.image={size=64, width=32, depth=2, heads=2, name='vit_tiny_patch16_224', frozen_blocks=1}",
            "model.text={maximum_tokens=16, kept_tokens=5, frozen_blocks=1, name='local/bert'}",
            f"model.image.weights='{vit_folder}'",
            f"model.text.weights='{bert_folder}'",
            *overrides,
        )

    return make


def test_encoders_come_from_local_folders_and_say_so(
    config: Callable[..., Config], vit_folder: Path, bert_folder: Path
) -> None:
    model = build_model(config().model, pretrained=True)
    vit = load_file(vit_folder / "model.safetensors")
    for name, tensor in model.image_encoder.vit.state_dict().items():
        assert torch.equal(tensor, vit[name])
    bert = load_file(bert_folder / "model.safetensors")
    for name, tensor in model.text_encoder.encoder.state_dict().items():
        assert torch.equal(tensor, bert[f"bert.{name}"])
    assert model.origin == {"image": f"pretrained, {vit_folder}", "text": f"pretrained, {bert_folder}"}


def test_the_tokenizer_is_that_of_the_pretrained_encoder(config: Callable[..., Config]) -> None:
    tokenizer = load_tokenizer(build_model(config().model, pretrained=True))
    assert tokenizer.ids("retina scar.") == [2, 5, 6, 7, 3]


def test_random_weights_are_said(config: Callable[..., Config]) -> None:
    assert set(build_model(config().model, pretrained=False).origin.values()) == {"random weights"}


def test_the_right_checksum_is_accepted_in_either_case(
    config: Callable[..., Config], vit_folder: Path
) -> None:
    digest = hashlib.sha256((vit_folder / "model.safetensors").read_bytes()).hexdigest()
    build_model(config(f"model.image.sha256='{digest.upper()}'").model, pretrained=True)


@pytest.mark.parametrize("kind", ["image", "text"])
def test_another_file_than_the_named_one_is_refused(kind: str, config: Callable[..., Config]) -> None:
    with pytest.raises(ConfigError, match=rf"not the ones[\s\S]*SHA-256[\s\S]*model\.{kind}\.sha256"):
        build_model(config(f"model.{kind}.sha256='{'0' * 64}'").model, pretrained=True)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("model.image.width=16", "tensors missing|another shape"),
        ("model.image.depth=3", r"[1-9]\d* tensors missing"),
        ("model.image.size=32", "another shape[\\s\\S]*at its image size"),
        (
            "model.image.weights='/nowhere/at/all'",
            r"no pretrained weights for the image encoder[\s\S]*model\.image\.weights",
        ),
        ("model.text.weights='/nowhere/at/all'", "no config.json"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    override: str, words: str, config: Callable[..., Config]
) -> None:
    smaller = ("model.image.frozen_blocks=0", "model.decoders.image_channels=[8]")
    with pytest.raises(ConfigError, match=words):
        build_model(config(override, *smaller).model, pretrained=True)


def test_a_folder_given_but_empty_is_refused_even_where_weights_are_optional(
    config: Callable[..., Config], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="no pretrained weights"):
        build_model(config(f"model.image.weights='{tmp_path}'", "model.pretrained=auto").model)


def test_truncated_weights_are_refused(
    config: Callable[..., Config], vit_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "model.safetensors").write_bytes((vit_folder / "model.safetensors").read_bytes()[:-500])
    with pytest.raises(ConfigError, match="cannot be read"):
        build_model(config(f"model.image.weights='{tmp_path}'").model, pretrained=True)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        '{"model_type": "of nobody"}',
        '{"model_type": "bert", "hidden_size": 15, "num_attention_heads": 2}',
        '{"model_type": "bert", "hidden_size": "many"}',
        '{"model_type": "clip"}',
    ],
)
def test_a_damaged_config_json_names_the_section(
    content: str, config: Callable[..., Config], tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ConfigError, match=r"model\.text") as error:
        build_model(config(f"model.text.weights='{tmp_path}'").model)
    assert error.value.fix


def test_old_checkpoints_that_say_gamma_and_beta_are_read(
    config: Callable[..., Config], bert_folder: Path, tmp_path: Path
) -> None:
    tensors = load_file(bert_folder / "model.safetensors")
    old = {
        n.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): t
        for n, t in tensors.items()
    }
    save_file(old, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_bytes((bert_folder / "config.json").read_bytes())
    a = build_model(config().model, pretrained=True).text_encoder.state_dict()
    b = build_model(
        config(f"model.text.weights='{tmp_path}'").model, pretrained=True
    ).text_encoder.state_dict()
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(
    "shape",
    [
        DistilBertConfig(vocab_size=8, dim=16, n_layers=2, n_heads=2, hidden_dim=24),
        RobertaConfig(
            vocab_size=8, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24
        ),
    ],
    ids=["distilbert", "roberta"],
)
def test_other_transformers_encoders_are_read_and_frozen(
    shape: object, config: Callable[..., Config], tmp_path: Path
) -> None:
    encoder = AutoModel.from_config(shape)
    encoder.save_pretrained(tmp_path)
    save_tokenizer(tmp_path)
    model = build_model(config(f"model.text.weights='{tmp_path}'").model, pretrained=True)
    ids = torch.tensor([[2, 5, 3]])
    tokens = model.embed_text(load_tokenizer(model)(["retina"]))
    assert tokens.tokens.shape == (1, 3, 32)
    encoder.eval()
    model.eval()
    expected = encoder(input_ids=ids).last_hidden_state
    assert torch.allclose(model.text_encoder(ids, torch.ones_like(ids)), expected, atol=1e-6)
    frozen = {name for name, p in model.text_encoder.encoder.named_parameters() if not p.requires_grad}
    assert any("layer.0." in name for name in frozen)
    assert not any("layer.1." in name for name in frozen)


def test_without_weights_an_encoder_wanted_pretrained_is_refused(small_config: Callable[..., Config]) -> None:
    with pytest.raises(ConfigError, match=r"no pretrained weights for the image encoder[\s\S]*never"):
        build_model(small_config().model, pretrained=True)
