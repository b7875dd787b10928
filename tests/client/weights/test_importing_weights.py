"""Pretrained encoders brought on a medium: what is taken, what is refused, and that the worker then finds them."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from deployed import make_federation
from safetensors.numpy import save_file

from client.approval.store import Approvals
from client.approval.trusted import Trusted, trusted_of_kit
from client.cli import main
from client.site.config import load_site
from client.site.state import SiteState
from client.weights.cache import cache_folder, use_imported
from client.weights.importing import import_weights
from server.kit import read_kit
from server.weights import pack
from shared_model.errors import ConfigError, DataError
from shared_model.pretrained_files import MANIFEST, read_manifest

NAME = "north/tiny-bert"
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "retina", "normal"]


@pytest.fixture(scope="module")
def kits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_federation(tmp_path_factory.mktemp("north"))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as save_pretrained leaves one, with a file that nothing needs."""
    folder = tmp_path_factory.mktemp("encoder")
    shape = {"model_type": "bert", "vocab_size": len(WORDS), "hidden_size": 8, "num_hidden_layers": 1}
    (folder / "config.json").write_text(json.dumps(shape | {"num_attention_heads": 2}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    (folder / "README.md").write_text("about it")
    save_file({"embeddings": np.ones((len(WORDS), 8), np.float32)}, folder / "model.safetensors")
    return folder


@pytest.fixture
def medium(kits: Path, encoder: Path, tmp_path: Path) -> Path:
    pack({NAME: encoder}, tmp_path / "medium", read_kit(kits / "coordinator"))
    return tmp_path / "medium"


@pytest.fixture
def trusted(kits: Path) -> Trusted:
    return trusted_of_kit(kits / "paulista", "paulista")


def model_of(medium: Path) -> Path:
    return medium / NAME.replace("/", "--")


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_the_coordinator_packs_is_what_loading_needs_and_no_more(medium: Path, encoder: Path) -> None:
    files = read_manifest(json.loads((medium / MANIFEST).read_text())["manifest"]).models[NAME]
    assert sorted(files) == ["config.json", "model.safetensors", "tokenizer_config.json", "vocab.txt"]
    assert sorted(path.name for path in model_of(medium).iterdir()) == sorted(files)


def test_of_a_file_that_is_longer_than_the_manifest_says_no_more_than_that_is_copied(
    medium: Path, trusted: Trusted, tmp_path: Path
) -> None:
    path = model_of(medium) / "model.safetensors"
    whole = path.stat().st_size
    os.truncate(path, 1 << 40)  # a terabyte, of which nothing lies on the disk
    copied: list[int] = []
    with pytest.raises(DataError, match="longer than the one that the federation uses"):
        import_weights(medium, tmp_path / "cache", trusted, lambda name, done, of: copied.append(done))
    assert max(copied) <= whole
    assert not list((tmp_path / "cache").rglob("model.safetensors"))


def test_the_libraries_find_what_was_imported_where_no_hub_is(
    medium: Path, trusted: Trusted, tmp_path: Path
) -> None:
    (done,) = import_weights(medium, tmp_path / "cache", trusted)
    assert (done.repository, done.known) == (NAME, False)
    program = (
        "from shared_model.offline import switch_off_what_calls_home as off; off()\n"
        "from shared_model.config.schema import TextEncoderConfig\n"
        "from shared_model.model.build import _find\n"
        "from transformers import AutoConfig, AutoTokenizer\n"
        f"print(_find(TextEncoderConfig(name={NAME!r}))[0])\n"
        f"print(AutoConfig.from_pretrained({NAME!r}, local_files_only=True).hidden_size)\n"
        f"print(AutoTokenizer.from_pretrained({NAME!r}, local_files_only=True).convert_tokens_to_ids('retina'))\n"
    )
    environment = os.environ | {"HF_HUB_CACHE": str(tmp_path / "cache"), "PYTHONWARNINGS": "ignore"}
    told = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert told.stdout.splitlines() == [str(done.folder / "model.safetensors"), "8", "5"]


def test_imported_again_it_is_known_and_mended_where_it_was_damaged(
    medium: Path, trusted: Trusted, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    (first,) = import_weights(medium, cache, trusted)
    before = everything(cache)
    assert import_weights(medium, cache, trusted)[0].known
    (first.folder / "vocab.txt").write_text("something else")
    assert not import_weights(medium, cache, trusted)[0].known
    assert everything(cache) == before
    assert {path.stat().st_mode & 0o077 for path in [cache, *cache.rglob("*")] if path != cache} == {0}


def test_a_newer_version_takes_the_place_of_the_older(
    medium: Path, kits: Path, encoder: Path, trusted: Trusted, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    (old,) = import_weights(medium, cache, trusted)
    newer = shutil.copytree(encoder, tmp_path / "newer")
    (newer / "vocab.txt").write_text("\n".join([*WORDS, "macula"]) + "\n")
    pack({NAME: newer}, tmp_path / "second", read_kit(kits / "coordinator"))
    (new,) = import_weights(tmp_path / "second", cache, trusted)
    assert new.folder != old.folder
    assert not old.folder.exists()
    assert (new.folder.parent.parent / "refs" / "main").read_text() == new.folder.name


def altered(medium: Path) -> None:
    path = model_of(medium) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")


def pickled(medium: Path) -> None:
    (model_of(medium) / "pytorch_model.bin").write_bytes(pickle.dumps({"a": 1}))


def linked(medium: Path) -> None:
    path = model_of(medium) / "vocab.txt"
    path.rename(medium / "elsewhere.txt")
    path.symlink_to(medium / "elsewhere.txt")


def forged(medium: Path) -> None:
    path = medium / MANIFEST
    path.write_text(path.read_text().replace("vocab.txt", "vocab.json"))


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (altered, "SHA-256 is another"),
        (pickled, r"can run code when it is read \(pickle\)"),
        (linked, "does not name"),
        (forged, "altered after it was signed"),
        (lambda medium: (model_of(medium) / "modeling.py").touch(), "does not name"),
        (lambda medium: (model_of(medium) / "vocab.txt").unlink(), "a file of the weights is missing"),
        (lambda medium: (model_of(medium) / "config.json").unlink(), "configuration is missing"),
        (lambda medium: shutil.rmtree(model_of(medium)), "folder of a model is missing"),
        (lambda medium: (medium / MANIFEST).unlink(), f"no {MANIFEST} in the folder"),
        (lambda medium: (medium / MANIFEST).write_text("[[[["), "manifest of weights is damaged"),
        (lambda medium: (medium / MANIFEST).write_text("{}"), "no signed manifest"),
    ],
)
def test_whatever_is_not_as_the_coordinator_signed_it_is_refused_and_nothing_kept(
    medium: Path, trusted: Trusted, tmp_path: Path, harm: Callable[[Path], object], told: str
) -> None:
    harm(medium)
    with pytest.raises(DataError, match=told) as refused:
        import_weights(medium, tmp_path / "cache", trusted)
    assert refused.value.fix
    assert str(tmp_path) not in refused.value.what
    assert everything(tmp_path / "cache") == {}


def test_a_manifest_of_another_federation_or_of_an_expired_coordinator_is_refused(
    encoder: Path, trusted: Trusted, tmp_path: Path
) -> None:
    elsewhere = make_federation(tmp_path / "elsewhere")
    pack({NAME: encoder}, tmp_path / "one", read_kit(elsewhere / "coordinator"))
    with pytest.raises(DataError, match="somebody of another federation"):
        import_weights(tmp_path / "one", tmp_path / "cache", trusted)
    past = make_federation(
        tmp_path / "past", now=datetime.now(UTC).replace(microsecond=0) - timedelta(days=100)
    )
    pack({NAME: encoder}, tmp_path / "two", read_kit(past / "coordinator"))
    with pytest.raises(DataError, match="expired"):
        import_weights(tmp_path / "two", tmp_path / "cache", trusted_of_kit(past / "paulista", "paulista"))


def test_the_coordinator_packs_no_pickle_and_no_half_model(kits: Path, encoder: Path, tmp_path: Path) -> None:
    kit = read_kit(kits / "coordinator")
    half = shutil.copytree(encoder, tmp_path / "half")
    (half / "model.safetensors").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(DataError, match="no safetensors"):
        pack({NAME: half}, tmp_path / "out", kit)
    (half / "config.json").unlink()
    with pytest.raises(DataError, match=r"no config\.json"):
        pack({NAME: half}, tmp_path / "out", kit)
    with pytest.raises(ConfigError, match="not one that a hub could have"):
        pack({"../escape": encoder}, tmp_path / "out", kit)
    assert list(tmp_path.glob("*out*")) == []


@pytest.fixture
def operator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    (tmp_path / "data").mkdir()
    (tmp_path / "site.toml").write_text('[site]\nname = "paulista"\n[data]\nfolder = "data"\n')

    def run(*arguments: object) -> tuple[int, str, str]:
        command = [
            "fedfundus-site",
            "weights",
            "import",
            *map(str, arguments),
            "--config",
            str(tmp_path / "site.toml"),
        ]
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capfd.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


def test_an_operator_imports_once_the_federation_is_named(
    operator: Callable[..., tuple[int, str, str]], medium: Path, trusted: Trusted, tmp_path: Path
) -> None:
    code, _, said = operator(medium)
    assert code == 3
    assert "approve --kit" in said
    config = load_site(tmp_path / "site.toml")
    state = SiteState.open(config.state, config.key)
    Approvals(state).trust(trusted)
    code, told, _ = operator(medium, "--json")
    assert code == 0
    assert json.loads(told)["models"][0] == {
        "name": NAME,
        "bytes": json.loads(told)["models"][0]["bytes"],
        "known": False,
    }
    assert "Traceback" not in said
    pickled(medium)
    code, told, said = operator(medium)
    assert (code, told) == (2, "")
    assert "fix:" in said


def test_the_worker_looks_where_was_imported_unless_its_operator_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = SiteState.open(tmp_path / "state", tmp_path / "key")
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    use_imported(state)
    assert "HF_HUB_CACHE" not in os.environ
    cache_folder(state).mkdir()
    use_imported(state)
    assert os.environ["HF_HUB_CACHE"] == str(tmp_path / "state" / "weights")
    monkeypatch.setenv("HF_HUB_CACHE", "/elsewhere")
    use_imported(state)
    assert os.environ["HF_HUB_CACHE"] == "/elsewhere"
