"""`fedfundus-site find`: by the unimodal protocol alone, with what nobody knows said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from model_in_use import Command, SaveModel

from client.data.dataset import SiteDataset
from client.data.images import PIPELINE_VERSION, ImageStore
from client.inference.predict import predict
from client.use.cases import cases_of_table
from client.use.finished import NOTICE, Finished
from client.use.search import find, note_vector
from shared_model.artefact import load_artefact
from shared_model.held_out import HeldOut

NOTE = "There is macular edema in the retina."


def quiet(done: int, total: int) -> None:
    pass


def test_scores_are_cosines_of_the_vectors_that_an_evaluation_compares(
    model: Path, data_folder: Path, records: pd.DataFrame, images: ImageStore
) -> None:
    artefact = load_artefact(model, PIPELINE_VERSION)
    dataset = SiteDataset(records, images, artefact.tokenizer, artefact.standardisation)
    whole = predict(artefact.model, dataset, np.arange(len(records)), {}, mask_notes=True, batch_size=16)
    pair = whole.embeddings["unimodal"]
    noted = int(np.flatnonzero(whole.note >= 0)[0])
    vector, _, _ = note_vector(artefact, str(records["note"].iloc[noted]))
    assert vector == pytest.approx(pair["text"][noted], abs=1e-5)
    found = find(
        Finished.load(model),
        str(records["note"].iloc[noted]),
        cases_of_table(data_folder, "brset", mask_notes=True),
        top=80,
        progress=quiet,
    )
    unit = pair["image"] / np.linalg.norm(pair["image"], axis=1, keepdims=True)
    expected = dict(zip(whole.record, unit @ (vector / np.linalg.norm(vector)), strict=True))
    assert len(found.hits) == 80
    for hit in found.hits:
        assert hit.score == pytest.approx(expected[hit.record], abs=1e-5)
    scores = [hit.score for hit in found.hits]
    assert scores == sorted(scores, reverse=True)


def test_the_sites_own_notes_do_not_move_a_single_score(
    model: Path, data_folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "data"
    shutil.copytree(data_folder, other)
    labels = pd.read_csv(other / "labels_brset.csv", dtype=str)
    labels["drusens"], labels["patient_age"] = "1", "30"
    labels.to_csv(other / "labels_brset.csv", index=False)
    finished = Finished.load(model)
    found = [
        find(finished, NOTE, cases_of_table(folder, "brset", mask_notes=True), top=9, progress=quiet).hits
        for folder in (data_folder, other)
    ]
    assert [(hit.record, hit.score) for hit in found[0]] == [(hit.record, hit.score) for hit in found[1]]


def test_it_says_how_many_were_searched_and_that_nobody_knows_how_well(
    model: Path, photographs: Path, command: Command
) -> None:
    said = command("find", NOTE, photographs, "--model", model, "--top", "3", "--report", "find.html")
    assert said.code == 0
    assert NOTICE in said.out
    words = " ".join(said.out.split())
    assert "6 photographs searched; 1 could not be read" in words
    assert "is unknown" in words
    page = Path("find.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 3
    assert NOTICE in page
    assert NOTE in page
    assert Path("find.html").stat().st_mode & 0o777 == 0o600


def test_what_is_known_of_its_searches_is_said_with_chance_and_ceiling(
    save_model: SaveModel, photographs: Path, command: Command
) -> None:
    shares = {f"{name}_at_{k}": 0.125 for name in ("recall", "chance", "ceiling") for k in (1, 5, 10)}
    nothing = dict.fromkeys(("n", "accuracy", "quadratic_weighted_kappa"))
    graded = {task: {"all": nothing, "image": nothing} for task in ("icdr", "sdrg")}
    known = save_model(held_out=HeldOut({"n": 288, "unique_notes": 34} | shares, graded))
    words = " ".join(command("find", NOTE, photographs, "--model", known).out.split())
    assert "the 5 nearest of 288 photographs held the note's own one in 12.5%" in words
    assert "unknown" not in words


def test_the_json_names_nobody_unless_asked(model: Path, data_folder: Path, command: Command) -> None:
    told = (
        "find",
        "Seen by Dr Maria Souza. " + NOTE,
        data_folder,
        "--adapter",
        "brset",
        "--model",
        model,
        "--json",
    )
    said = command(*told)
    assert "img0" not in said.out
    assert "Souza" not in said.out
    assert "patient" not in json.loads(said.out)["photographs"][0]
    named = json.loads(command(*told, "--names").out)["photographs"][0]
    assert named["photograph"].startswith("fundus_photos/img0")


@pytest.mark.parametrize(
    ("note", "spelt"),
    [
        ("Há hemorragias e microaneurismas na retina do olho.", 0),
        ("Zygomycosis of the retina", 1),
        ("見", 0),
        ("retina " * 400, 0),
    ],
)
def test_any_words_are_read_and_what_is_not_understood_or_cut_off_is_said(
    note: str, spelt: int, model: Path, photographs: Path, command: Command
) -> None:
    said = command("find", note, photographs, "--model", model, "--json")
    assert said.code == 0
    document = json.loads(said.out)
    assert len(document["photographs"]) == 5
    told = document["note"]
    assert told["spelt"] == spelt
    assert told["read"] <= 48
    assert (told["tokens"] > told["read"]) == (len(note) > 1000)


@pytest.mark.parametrize("note", ["", "  \n"])
def test_an_empty_note_looks_for_nothing(note: str, model: Path, photographs: Path, command: Command) -> None:
    said = command("find", note, photographs, "--model", model)
    assert said.code == 2
    assert "The note is empty" in said.err


def test_a_model_that_reads_no_notes_says_so_before_anything_is_read(
    save_model: SaveModel, tmp_path: Path, command: Command
) -> None:
    said = command("find", NOTE, tmp_path / "absent", "--model", save_model("model.inputs=['image']"))
    assert said.code == 2
    assert "reads no notes" in said.err
    said = command("find", NOTE, tmp_path / "absent", "--model", save_model(notes=False))
    assert said.code == 2
    assert "without a single note" in said.err


def test_photographs_that_are_the_same_stand_in_the_order_of_their_names(
    model: Path, tmp_path: Path, data_folder
) -> None:
    folder = tmp_path / "data" / "fundus_photos"
    folder.mkdir(parents=True)
    source = data_folder / "fundus_photos" / "img00000.jpg"
    for name in ("c.jpg", "a.jpg", "b.jpg"):
        shutil.copy(source, folder / name)
    from client.use.cases import cases_of_folder

    found = find(Finished.load(model), NOTE, cases_of_folder(folder), progress=quiet)
    assert [hit.record for hit in found.hits] == ["a.jpg", "b.jpg", "c.jpg"]
    assert [hit.deviations for hit in found.hits] == pytest.approx([0.0] * 3, abs=2)
