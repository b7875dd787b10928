from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared_model import load_config
from shared_model.config import to_toml
from shared_model.config.federation import Withheld
from shared_model.config.load import from_toml, presets
from shared_model.errors import ConfigError
from shared_model.records import MODALITIES, STRUCTURED


def test_paper_is_the_source_papers_training() -> None:
    training = load_config("paper").training
    assert (training.optimizer, training.learning_rate, training.weight_decay) == ("adamw", 1e-4, 0.01)
    assert (training.gradient_norm, training.batch_size) == (1.0, 8)
    assert (training.schedule, training.plateau_patience, training.plateau_factor) == ("plateau", 5, 0.5)
    assert training.early_stopping == 10
    assert training.augmentation.flips
    assert training.augmentation.rotation_degrees == 15
    losses = load_config("paper").losses
    assert (losses.weighting, losses.temperature, losses.contrastive_source) == ("softmax", 0.07, "unimodal")


def test_each_layer_overrides_the_one_below(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text("seed = 5\n[training]\nbatch_size = 3\nlearning_rate = 0.5\n[model.image]\nsize = 64\n")
    config = load_config(
        "tiny", file=file, overrides=["training.batch_size=4", "seed=6"], seed=7, runtime__engine=None
    )
    assert (config.training.learning_rate, config.training.batch_size, config.seed) == (0.5, 4, 7)
    assert (config.model.image.size, config.model.image.stem) == (
        64,
        "convolutional",
    )  # the rest of a section stays
    assert config.preset == "tiny"
    assert config.runtime.engine == "inline"


@pytest.mark.parametrize("preset", presets())
def test_a_written_configuration_reads_back_equal(preset: str, tmp_path: Path) -> None:
    config = load_config(preset, overrides=["seed=3", "model.local=[]", "data.split=[0.7, 0.15]"])
    (tmp_path / "config.toml").write_text(to_toml(config), encoding="utf-8")
    assert from_toml(tmp_path / "config.toml") == config


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        load_config("tiny").training.batch_size = 5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("training.bach_size=4", ["no such configuration key", "training.bach_size", "training.batch_size"]),
        ("nonsense=1", ["no such configuration key", "nonsense"]),
        ("seed.deeper=1", ["seed", "integer"]),
        ("training.batch_size=0", ["training.batch_size", "greater than or equal to 1", "got 0"]),
        ("training.batch_size=many", ["training.batch_size", "integer", "'many'"]),
        ("training.learning_rate=nan", ["training.learning_rate", "nan"]),
        ("training.learning_rate=-1.0", ["training.learning_rate", "greater than 0"]),
        ("model.image.size=100", ["model.image.size", "multiple of 16"]),
        ("model.fusion.heads=7", ["model.fusion.width 64 is not a multiple of model.fusion.heads 7"]),
        ("model.text.heads=5", ["model.text.width 48 is not a multiple of model.text.heads 5"]),
        ("model.text={width=5}", ["model.text.width 5 is not a multiple of model.text.heads 2"]),
        ("model.image.heads=5", ["model.image.width 64 is not a multiple of model.image.heads 5"]),
        ("model.image={width=4, stem='convolutional'}", ["model.image.width 4", "convolutional stem"]),
        ("model.image={width=10, stem='convolutional'}", ["model.image.width 10", "multiple of 4"]),
        ("model.decoders.text_heads=3", ["model.fusion.width 64", "model.decoders.text_heads 3"]),
        ("model.decoders.image_channels=[]", ["model.decoders.image_channels", "at least 1 item"]),
        ("model.local=['heads']", ["model.local.0", "image_decoder", "'heads'"]),
        ("model.local=['text_decoder.layers']", ["model.local.0", "text_decoder.layers"]),
        ("runtime.threads=100000", ["runtime.threads", "less than or equal to 256"]),
        ("losses.floor=0.2", ["losses.floor"]),
        ("losses.weighting=magic", ["losses.weighting", "softmax", "magic"]),
        ("federation.strategy=fedsgd", ["federation.strategy", "fedavg", "fedsgd"]),
        ("data.split=[0.9, 0.2]", ["data.split", "below 1"]),
        ("data.split=[0.9, 0.1]", ["data.split", "the rest is the test set"]),
        ("data.split=[0.0, 0.1]", ["data.split", "train must be above 0"]),
        ("model.decoders.enabled=false", ["reconstruction losses need model.decoders.enabled"]),
        ("training=5", ["training", "got 5"]),
        ("training", ["cannot read 'training'", "section.key=value"]),
        ("=4", ["cannot read", "section.key=value"]),
    ],
)
def test_a_mistaken_value_names_its_key_and_the_fix(override: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        load_config("tiny", overrides=[override])
    assert all(word in str(error.value) for word in words), str(error.value)
    assert error.value.fix


def test_a_size_that_is_not_used_is_not_refused() -> None:
    """Without decoders their heads do not matter, and heads of 0 are the named model's own."""
    without = ["model.decoders.enabled=false", "losses.weighting=softmax"]
    load_config("tiny", overrides=[*without, "model.decoders.text_heads=3"])
    load_config("tiny", overrides=["model.image.heads=0", "model.text={width=0, heads=5}"])


def test_an_unknown_preset_names_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"paper, private, private-tiny, tiny"):
        load_config("huge")


@pytest.mark.parametrize("content", ["seed = = 4", "seed"])
def test_a_file_that_is_not_toml_is_named(content: str, tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text(content)
    with pytest.raises(ConfigError, match=r"not TOML[\s\S]*run\.toml"):
        load_config("tiny", file=file)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"does not exist[\s\S]*absent\.toml"):
        load_config("tiny", file=tmp_path / "absent.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config("tiny", file=tmp_path)  # a folder
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not TOML"):
        load_config("tiny", file=tmp_path / "binary.toml")


@given(st.text(max_size=30))
def test_any_override_is_read_or_refused_by_name(text: str) -> None:
    try:
        load_config("tiny", overrides=[text])
    except ConfigError:
        return


def test_what_sites_do_not_hold_is_set_from_a_file_or_site_by_site(tmp_path: Path) -> None:
    file = tmp_path / "unequal.toml"
    file.write_text('[federation.withhold]\nnorte = ["text"]\n"site-1" = ["insulin", "diabetes_duration"]\n')
    overrides = ['federation.withhold.centro=["text", "structured"]', "federation.withhold.norte=[]"]
    config = load_config("tiny", file=file, overrides=overrides)
    assert config.federation.withhold == {
        "norte": (),
        "site-1": ("insulin", "diabetes_duration"),
        "centro": ("text", "structured"),
    }
    (tmp_path / "config.toml").write_text(to_toml(config), encoding="utf-8")
    assert from_toml(tmp_path / "config.toml") == config
    assert load_config("tiny").federation.withhold == {}


@pytest.mark.parametrize(
    ("override", "words"),
    [
        (
            'federation.withhold.centro=["notes"]',
            ["federation.withhold.centro.0", "'notes'", "'text'", "'insulin'"],
        ),
        ('federation.withhold.centro=["text", "image"]', ["site centro", "every record is a photograph"]),
        ("federation.withhold.centro=image", ["site centro", "every record is a photograph"]),
        ("federation.withhold.centro=text", ["federation.withhold.centro", "'text'"]),
        ("federation.withhold=text", ["federation.withhold", "dictionary"]),
    ],
)
def test_what_cannot_be_withheld_is_refused(override: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as raised:
        load_config("tiny", overrides=[override])
    assert all(word in str(raised.value) for word in words), str(raised.value)


def test_every_modality_and_value_but_the_photograph_can_be_withheld() -> None:
    assert set(get_args(Withheld)) == {*MODALITIES, *STRUCTURED} - {"image"}


def test_a_file_of_another_preset_is_not_taken_for_this_one(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('preset = "tiny"\n[federation]\nrounds = 3\n')
    assert load_config(file=file) == load_config("tiny", file=file)
    assert load_config(file=file).preset == "tiny"
    with pytest.raises(
        ConfigError, match="the file is of the preset tiny, and paper is asked for"
    ) as refused:
        load_config("paper", file=file)
    assert "--preset tiny" in str(refused.value.fix)
    with pytest.raises(ConfigError, match="not a key to set"):
        load_config("tiny", file=file, overrides=["preset=paper"])
