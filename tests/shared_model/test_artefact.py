from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from transformers import BertConfig, BertModel, BertTokenizer

from client.data.dataset import SiteDataset
from client.data.images import PIPELINE_VERSION, ImageStore
from client.inference.predict import predict
from shared_model.artefact import load_artefact, save_artefact
from shared_model.calibration import Calibration
from shared_model.config import Config
from shared_model.errors import DataError, FedFundusError
from shared_model.exchange import parameter_kinds, trunk_fingerprint
from shared_model.held_out import HeldOut
from shared_model.losses import Objective
from shared_model.metrics.predictions import Predictions
from shared_model.model import FusionModel, Tokenizer, build_model, load_tokenizer
from shared_model.statistics import Standardisation

OVERRIDES = ("model.image.frozen_blocks=1", "losses.weighting=softmax", "seed=4")


@pytest.fixture(scope="module")
def config(small_config: Callable[..., Config]) -> Config:
    return small_config(*OVERRIDES)


@pytest.fixture(scope="module")
def objective(small_objective: Callable[..., Objective]) -> Objective:
    return small_objective(*OVERRIDES, seed=3).eval()


@pytest.fixture
def folder(
    tmp_path: Path,
    config: Config,
    objective: Objective,
    tokenizer: Tokenizer,
    standardisation: Standardisation,
) -> Path:
    path = tmp_path / "model"
    save_artefact(path, objective, tokenizer, config, standardisation.to_dict(), PIPELINE_VERSION)
    return path


def rewrite(folder: Path, kind: str, value: float) -> None:
    """Put `value` into the first tensor of that kind."""
    kinds = json.loads((folder / "parameters.json").read_text())["kinds"]
    tensors = load_file(folder / "model.safetensors")
    name = next(name for name, found in kinds.items() if found == kind and name.startswith("model."))
    tensors[name].flat[0] = value
    save_file(tensors, folder / "model.safetensors")


def predictions(model: FusionModel, dataset: SiteDataset) -> Predictions:
    return predict(model, dataset, np.arange(12), {}, mask_notes=True, batch_size=5)


def test_a_loaded_model_predicts_what_the_saved_one_did(
    folder: Path, objective: Objective, dataset: SiteDataset, records: object, images: ImageStore
) -> None:
    artefact = load_artefact(folder, PIPELINE_VERSION)
    other = SiteDataset(records, images, artefact.tokenizer, artefact.standardisation)
    a, b = predictions(objective.model, dataset), predictions(artefact.model, other)
    for task, by_input in a.probabilities.items():
        for given, probability in by_input.items():
            assert np.array_equal(probability, b.probabilities[task][given], equal_nan=True)
    for protocol, pair in a.embeddings.items():
        assert all(np.array_equal(array, b.embeddings[protocol][side]) for side, array in pair.items())
    assert not artefact.model.training


def test_a_temperature_is_handed_out_with_the_model(
    folder: Path, config: Config, tokenizer: Tokenizer, standardisation: Standardisation, objective: Objective
) -> None:
    assert load_artefact(folder, PIPELINE_VERSION).calibration.of("icdr") == 1.0
    fitted = Calibration({"icdr": 1.5}, {"icdr": 80})
    save_artefact(folder, objective, tokenizer, config, standardisation.to_dict(), PIPELINE_VERSION, fitted)
    found = load_artefact(folder, PIPELINE_VERSION).calibration
    assert found == fitted
    assert (found.of("icdr"), found.of("sdrg")) == (1.5, 1.0)


def test_how_good_it_was_is_handed_out_with_the_model(
    folder: Path, config: Config, tokenizer: Tokenizer, standardisation: Standardisation, objective: Objective
) -> None:
    assert load_artefact(folder, PIPELINE_VERSION).held_out is None
    nothing = dict.fromkeys(("n", "accuracy", "quadratic_weighted_kappa"))
    graded = {"icdr": {"all": nothing | {"n": 9, "accuracy": 0.5}, "image": nothing}}
    known = HeldOut(None, graded | {"sdrg": {"all": nothing, "image": nothing}})
    told = standardisation.to_dict()
    save_artefact(folder, objective, tokenizer, config, told, PIPELINE_VERSION, held_out=known)
    assert load_artefact(folder, PIPELINE_VERSION).held_out == known
    (folder / "held_out.json").write_text('{"schema": "fedfundus.held_out/1", "retrieval": {"n": 3}}')
    with pytest.raises(DataError, match=r"held_out\.json"):
        load_artefact(folder, PIPELINE_VERSION)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"schema": "fedfundus.calibration/1", "temperature": {"icdr": 0}, "examples": {}}',
        '{"schema": "fedfundus.calibration/1", "temperature": {"icdr": NaN}, "examples": {}}',
        '{"schema": "fedfundus.calibration/1", "temperature": {"other": 1}, "examples": {}}',
        '{"schema": "fedfundus.calibration/3", "temperature": {}, "examples": {}}',
    ],
)
def test_a_damaged_calibration_is_refused_by_name(content: str, folder: Path) -> None:
    (folder / "calibration.json").write_text(content)
    with pytest.raises(DataError, match=r"calibration\.json"):
        load_artefact(folder, PIPELINE_VERSION)


def test_configuration_and_standardisation_come_back_exactly(
    folder: Path, config: Config, standardisation: Standardisation
) -> None:
    artefact = load_artefact(folder, PIPELINE_VERSION)
    assert artefact.config == config
    assert artefact.standardisation == standardisation


def test_nothing_that_stays_at_a_site_is_in_the_folder(folder: Path, objective: Objective) -> None:
    kinds = parameter_kinds(objective)
    tensors = load_file(folder / "model.safetensors")
    assert set(tensors) == {name for name, kind in kinds.items() if kind != "local"}
    model = load_artefact(folder, PIPELINE_VERSION).model
    assert model.image_decoder is None
    assert model.text_decoder is None


def test_the_folder_describes_its_parameters(folder: Path, objective: Objective) -> None:
    described = json.loads((folder / "parameters.json").read_text())
    assert described["trunk_fingerprint"] == trunk_fingerprint(objective)
    assert described["kinds"] == parameter_kinds(objective)
    assert described["encoders"] == {"image": "random weights", "text": "random weights"}
    counts = described["counts"]
    assert counts["total"] == sum(p.numel() for p in objective.parameters())
    assert counts["trainable"] == counts["total"] - counts["trunk"] == counts["shared"] + counts["local"]


def test_saving_again_replaces_the_folder_whole(
    folder: Path, config: Config, tokenizer: Tokenizer, standardisation: Standardisation, objective: Objective
) -> None:
    (folder / "stale").touch()
    save_artefact(folder, objective, tokenizer, config, standardisation.to_dict(), PIPELINE_VERSION)
    assert not (folder / "stale").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


@pytest.mark.parametrize(
    "name", ["model.safetensors", "config.toml", "standardisation.json", "parameters.json", "tokenizer"]
)
def test_a_missing_file_is_named(name: str, folder: Path) -> None:
    path = folder / name
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    with pytest.raises(DataError, match=rf"no {name}"):
        load_artefact(folder, PIPELINE_VERSION)


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere[\s\S]*finished run"):
        load_artefact(tmp_path / "nowhere", PIPELINE_VERSION)


@pytest.mark.parametrize("name", ["model.safetensors", "config.toml", "standardisation.json"])
@pytest.mark.parametrize("keep", [0.5, 0.95])
def test_a_truncated_file_is_refused_by_name(name: str, keep: float, folder: Path) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(keep * len(content))])
    with pytest.raises(FedFundusError, match=r"\S") as error:
        load_artefact(folder, PIPELINE_VERSION)
    assert error.value.fix


def test_another_image_pipeline_is_refused_and_both_are_named(folder: Path) -> None:
    with pytest.raises(
        DataError, match=rf"another version of the image pipeline \({PIPELINE_VERSION}, not fundus-0\)"
    ):
        load_artefact(folder, "fundus-0")


@pytest.mark.parametrize(
    ("key", "value"), [("width = 32", "width = 64"), ("joint = 32", "joint = 16"), ("depth = 1", "depth = 2")]
)
def test_weights_of_another_architecture_are_refused(key: str, value: str, folder: Path) -> None:
    text = (folder / "config.toml").read_text()
    assert key in text
    (folder / "config.toml").write_text(text.replace(key, value))
    with pytest.raises(DataError, match=r"another architecture: \d+ tensors missing, \d+ of another shape"):
        load_artefact(folder, PIPELINE_VERSION)


@pytest.mark.parametrize("kind", ["shared", "trunk"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(kind: str, value: float, folder: Path) -> None:
    rewrite(folder, kind, value)
    with pytest.raises(DataError, match=r"NaN or infinity: 1 tensors, the first model\."):
        load_artefact(folder, PIPELINE_VERSION)


def test_another_trunk_than_the_one_written_down_is_refused(folder: Path) -> None:
    rewrite(folder, "shared", 0.125)
    load_artefact(folder, PIPELINE_VERSION)
    rewrite(folder, "trunk", 0.125)
    with pytest.raises(DataError, match=r"frozen weights are not those[\s\S]*parameters\.json"):
        load_artefact(folder, PIPELINE_VERSION)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"trunk_fingerprint": 5}', "\udcff", "[" * 100_000])
def test_a_damaged_parameters_file_is_refused_by_name(content: str, folder: Path) -> None:
    (folder / "parameters.json").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(DataError, match=r"parameters\.json"):
        load_artefact(folder, PIPELINE_VERSION)


def test_a_model_without_a_trunk_is_read(
    tmp_path: Path,
    small_config: Callable[..., Config],
    small_objective: Callable[..., Objective],
    tokenizer: Tokenizer,
    standardisation: Standardisation,
) -> None:
    objective, path = small_objective(), tmp_path / "model"
    assert "trunk" not in parameter_kinds(objective).values()
    save_artefact(path, objective, tokenizer, small_config(), standardisation.to_dict(), PIPELINE_VERSION)
    assert load_artefact(path, PIPELINE_VERSION).config == small_config()


def test_a_missing_tensor_is_refused(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    del tensors["model.heads.icdr.weight"]
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(DataError, match="1 tensors missing"):
        load_artefact(folder, PIPELINE_VERSION)


def test_a_model_made_from_a_local_encoder_is_read_where_that_folder_is_not(
    tmp_path: Path, small_config: Callable[..., Config], standardisation: Standardisation
) -> None:
    """The model folder is handed to others: it must stand by itself."""
    bert = tmp_path / "bert"
    shape = BertConfig(
        vocab_size=6, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24
    )
    BertModel(shape, add_pooling_layer=False).save_pretrained(bert)
    (tmp_path / "words.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nretina")
    BertTokenizer(vocab=str(tmp_path / "words.txt"), do_lower_case=False).save_pretrained(bert)
    config = small_config(
        "model.text={width=0, depth=0, heads=0, feed_forward=0, frozen_blocks=0}",
        f"model.text.weights='{bert}'",
    )
    model = build_model(config.model, pretrained=False).eval()
    tokenizer = load_tokenizer(model, bert)
    save_artefact(
        tmp_path / "model",
        Objective(model, config.losses),
        tokenizer,
        config,
        standardisation.to_dict(),
        PIPELINE_VERSION,
    )
    shutil.rmtree(bert)
    artefact = load_artefact(tmp_path / "model", PIPELINE_VERSION)
    with torch.no_grad():
        notes = tokenizer(["retina retina"])
        assert torch.equal(artefact.tokenizer(["retina retina"]).ids, notes.ids)
        assert torch.equal(artefact.model.encode(text=notes).joint, model.encode(text=notes).joint)
