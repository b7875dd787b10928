from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path

import pandas as pd
import pytest

from client.adapters import adapters
from client.site.config import load_site
from client.site.init import recognise, site_name, write_site
from client.site.prepare import read
from shared_model.errors import ConfigError
from shared_model.records import GRADES


def test_what_init_writes_is_read_back_with_every_default(data_folder: Path, tmp_path: Path) -> None:
    file, adapter = write_site(tmp_path, data_folder, "Santa Casa, São Paulo")
    config = load_site(file)
    assert (adapter, config.data.adapter, config.site.name) == ("brset", "brset", "santa-casa-sao-paulo")
    assert config.folder == data_folder.resolve()
    assert config.state == (tmp_path / ".fedfundus").resolve()
    assert config.policy.minimum_cell == 10
    assert config.storage.encrypt
    defaults = load_site(_least(tmp_path / "least.toml", data_folder))
    assert config.model_dump(exclude={"file", "site", "data"}) == defaults.model_dump(
        exclude={"file", "site", "data"}
    )


def test_a_site_toml_is_never_overwritten(data_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text("# mine\n")
    with pytest.raises(ConfigError, match="already"):
        write_site(tmp_path, data_folder, "a")
    assert (tmp_path / "site.toml").read_text() == "# mine\n"


@pytest.mark.parametrize(
    ("files", "adapter"),
    [
        ({"labels.csv": "image_id,patient_id,DR_ICDR\n"}, "brset"),
        ({"labels.csv": "patient,file,laterality,final_icdr\n"}, "mbrset"),
        ({"DeepEyeNet_train.json": "[]"}, "deepeyenet"),
        ({"anything.csv": "a;b\n"}, "table"),
    ],
)
def test_the_adapter_is_told_from_the_folder(files: dict[str, str], adapter: str, tmp_path: Path) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    assert recognise(tmp_path) == adapter


def test_a_folder_that_nobody_knows_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Nothing in the data folder") as caught:
        recognise(tmp_path)
    assert all(name in caught.value.fix for name in adapters())
    with pytest.raises(ConfigError, match="does not exist"):
        recognise(tmp_path / "absent")


def test_a_suggested_mapping_of_a_plain_table_reads_it(data_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(data_folder, tmp_path / "data")
    labels = pd.read_csv(data_folder / "labels_brset.csv", dtype=str)
    (tmp_path / "data" / "labels_brset.csv").unlink()
    renamed = {"image_id": "Photo file", "patient_id": "Paciente", "DR_ICDR": "DR grade", "drusens": "Drusen"}
    export = labels.rename(columns=renamed)[[*renamed.values(), "nevus", "exam_eye"]]
    export.to_csv(tmp_path / "data" / "export.csv", index=False, sep=";")
    file, adapter = write_site(tmp_path, tmp_path / "data", "a")
    assert adapter == "table"
    written = tomllib.loads(file.read_text())["data"]["table"]
    assert written["columns"]["findings"] == {"drusens": "Drusen", "nevus": "nevus"}
    loaded = read(load_site(file))
    assert len(loaded.table) == len(labels)
    expected = [(labels["DR_ICDR"] == str(grade)).sum() for grade in range(GRADES)]
    assert [(loaded.table["icdr"] == grade).sum() for grade in range(GRADES)] == expected


@pytest.mark.parametrize("text", ["Hospital A", "---", "ÀÉ", "x" * 100, "9-a"])
def test_a_name_is_made_fit_for_one(text: str, data_folder: Path, tmp_path: Path) -> None:
    file = _least(tmp_path / "site.toml", data_folder, name=site_name(text))
    assert load_site(file).site.name == site_name(text)


def test_accents_are_dropped_from_a_name_and_not_its_letters() -> None:
    assert site_name("Clínica São José") == "clinica-sao-jose"


@pytest.mark.parametrize(
    ("line", "where", "what"),
    [
        ("[policy]\nminimum = 3", "policy.minimum", "no such configuration key"),
        ("[policy]\nminimum_cell = -1", "policy.minimum_cell", "greater than or equal to 0"),
        ('[policy]\nstatistics = ["names"]', "policy", "not names"),
        (
            "[policy]\nstatistics_epsilon = 1.0",
            "policy",
            "policy.statistics_epsilon needs policy.epsilon_limit above 0",
        ),
        ('[policy]\nshare = ["image"]', "policy.share.0", "'text' or 'structured'"),
        ('[policy]\nmask_identifiers = "no"', "policy.mask_identifiers", "boolean"),
        ('[storage]\nencrypt = "yes"', "storage.encrypt", "boolean"),
        ("[split]\ntrain = 0.9\nvalidation = 0.2", "split", "the rest is the test set"),
        ("[data.nosuch]\na = 1", "data.nosuch", "no adapter called 'nosuch'"),
        ('[resources]\ndevice = "gpu"', "resources.device", "'auto', 'cpu' or 'cuda', got 'gpu'"),
        ("[resources]\nthreads = -1", "resources.threads", "greater than or equal to 0, got -1"),
        ("[resources]\nthreads = 9999", "resources.threads", "less than or equal to 256"),
        ('[resources]\nprecision = "int8"', "resources.precision", "'bf16' or 'fp16', got 'int8'"),
        ('[resources]\npreset = "huge"', "resources", "must be one of"),
        ("file = 3", "file", "no such configuration key"),
    ],
)
def test_a_mistake_in_site_toml_names_the_key(
    line: str, where: str, what: str, data_folder: Path, tmp_path: Path
) -> None:
    file = _least(tmp_path / "site.toml", data_folder)
    text = file.read_text()
    file.write_text(f"{line}\n{text}" if line.startswith("file") else f"{text}\n{line}\n")
    with pytest.raises(ConfigError, match=what) as caught:
        load_site(file)
    assert where in caught.value.where
    assert caught.value.fix


def test_paths_may_name_the_service_managers_credentials(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    file = _least(tmp_path / "site.toml", data_folder)
    file.write_text(file.read_text() + '[storage]\nkey = "$CREDENTIALS_DIRECTORY/fedfundus"\n')
    assert load_site(file).key == (tmp_path / "credentials" / "fedfundus").resolve()


def _least(file: Path, data: Path, name: str = "a") -> Path:
    file.write_text(f'[site]\nname = "{name}"\n[data]\nfolder = {json.dumps(str(data))}\n')
    return file
