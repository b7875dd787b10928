from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import client.adapters.entries
from client.adapters import load
from client.adapters.captions import age, diabetes, eye, is_colour_photograph, sex
from client.adapters.deepeyenet import NO_PHOTOGRAPH
from client.adapters.quoting import TOO_LONG
from client.adapters.values import Unusable
from shared_model.errors import DataError, FedFundusError
from shared_model.records import FINDINGS

KEY = "eyenet0420/train_set/macular-hole-1.jpg"
ENTRY = {"keywords": "macular hole", "clinical-description": "43-year-old female, macular hole."}
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(
        content: Any, name: str = "DeepEyeNet_train.json", photographs: tuple[str, ...] = (KEY,)
    ) -> Path:
        text = content if isinstance(content, bytes) else json.dumps(content).encode()
        (tmp_path / name).write_bytes(text)
        for number, photograph in enumerate(photographs):
            path = tmp_path / photograph
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8), (number, 40, 40)).save(path)
        return tmp_path

    return make


def test_an_entry_is_a_record_with_its_note_and_split(write: Write) -> None:
    record = load(write([{KEY: ENTRY}]), "deepeyenet").table.iloc[0]
    assert record["record_id"] == record["patient_id"] == KEY
    assert record["note"] == "43-year-old female, macular hole.\nKeywords: macular hole."
    assert (record["age"], record["sex"], record["split"]) == (43.0, 0.0, "train")
    assert record[["icdr", "sdrg", "eye", "diabetes", "visit"]].isna().all()


def test_a_note_beyond_the_bound_costs_its_entry(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client.adapters.entries, "MAX_CELL", 200)
    other = "eyenet0420/train_set/b.jpg"
    long = {**ENTRY, "clinical-description": "drusen " * 30}
    loaded = load(write([{KEY: ENTRY}, {other: long}], photographs=(KEY, other)), "deepeyenet")
    assert loaded.table["record_id"].tolist() == [KEY]
    assert loaded.quarantine[["row", "reason"]].to_numpy().tolist() == [[2, TOO_LONG]]


def test_keywords_are_a_differential_and_give_no_finding(write: Write) -> None:
    keywords = (
        "dry age-related macular degeneration (dry amd), drusen, proliferative diabetic retinopathy (pdr)"
    )
    table = load(write([{KEY: {**ENTRY, "keywords": keywords}}]), "deepeyenet").table
    assert table[[f"finding_{name}" for name in FINDINGS]].isna().all(axis=None)
    assert table["icdr"].isna().all()


def test_the_three_files_give_the_split_and_entries_count_through_them(write: Write) -> None:
    write([{KEY: ENTRY}, {"eyenet0420/train_set/absent.jpg": ENTRY}])
    write([{"eyenet0420/val_set/a.jpg": ENTRY}], "DeepEyeNet_valid.json", ("eyenet0420/val_set/a.jpg",))
    folder = write(
        [{"eyenet0420/test_set/a.jpg": ENTRY}], "DeepEyeNet_test.json", ("eyenet0420/test_set/a.jpg",)
    )
    loaded = load(folder, "deepeyenet")
    assert loaded.table["split"].tolist() == ["train", "validation", "test"]
    assert list(loaded.lines.values()) == [1, 3, 4]
    assert loaded.quarantine[["row", "reason"]].to_numpy().tolist() == [[2, "the photograph is absent"]]
    assert any("DeepEyeNet_valid.json 3 to 3" in notice for notice in loaded.notices)


def test_an_object_of_several_names_is_several_entries(write: Write) -> None:
    other = "eyenet0420/train_set/b.jpg"
    loaded = load(write([{KEY: ENTRY, other: ENTRY}], photographs=(KEY, other)), "deepeyenet")
    assert loaded.table["record_id"].tolist() == [KEY, other]


def test_a_photograph_in_two_splits_stays_in_the_first(write: Write) -> None:
    write([{KEY: ENTRY}])
    loaded = load(write([{KEY: ENTRY}], "DeepEyeNet_test.json"), "deepeyenet")
    assert loaded.table["split"].tolist() == ["train"]
    assert loaded.quarantine["reason"].tolist() == ["the photograph is already named in entry 1"]


def test_a_name_that_occurs_twice_in_one_object_is_not_lost(write: Write) -> None:
    twice = f'[{{"{KEY}": {json.dumps(ENTRY)}, "{KEY}": {json.dumps(ENTRY)}}}]'
    loaded = load(write(twice.encode()), "deepeyenet")
    assert (len(loaded.table), len(loaded.quarantine)) == (1, 1)


@pytest.mark.parametrize("folder", ["eyenet0420/train_set", "train_set", "copies/EyeNet0420/Train_Set"])
def test_the_photographs_are_found_wherever_their_folder_lies(write: Write, folder: str) -> None:
    assert (
        len(load(write([{KEY: ENTRY}], photographs=(f"{folder}/macular-hole-1.jpg",)), "deepeyenet").table)
        == 1
    )


@pytest.mark.parametrize(
    "name", ["../secret.jpg", "/etc/secret.jpg", "train_set/../../secret.jpg", "..\\secret.jpg", "", "\x00"]
)
def test_a_hostile_name_opens_nothing(write: Write, tmp_path: Path, name: str) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path.parent / "secret.jpg")
    loaded = load(write([{KEY: ENTRY}, {name: ENTRY}]), "deepeyenet")
    assert loaded.table["record_id"].tolist() == [KEY]
    assert loaded.quarantine["row"].tolist() == [2]


def test_angiograms_are_set_aside_and_counted(write: Write) -> None:
    angiogram = {
        "keywords": "",
        "clinical-description": "Fluorescein angiogram of the left eye of a 60-year-old man.",
    }
    names = (KEY, "eyenet0420/train_set/a.jpg", "eyenet0420/train_set/fluorescein_angiography/b.jpg")
    entries = [{names[0]: ENTRY}, {names[1]: angiogram}, {names[2]: ENTRY}]
    loaded = load(write(entries, photographs=names), "deepeyenet")
    assert loaded.table["record_id"].tolist() == [KEY]
    assert loaded.quarantine["reason"].tolist() == [NO_PHOTOGRAPH] * 2
    assert any(notice.startswith("2 pictures are angiograms") for notice in loaded.notices)
    assert loaded.unclaimed == ()


@pytest.mark.parametrize(
    ("caption", "keywords", "photograph"),
    [
        (
            "20 degree view, red free image of left macula of a 28-year-old caucasian female.",
            "uveitis",
            False,
        ),
        ("Late phase angiogram.", "", False),
        ("Indocyanine green angiography of the right eye.", "", False),
        ("43-year-old female, macular hole.", "fluorescein angiogram (fa)", False),
        ("Colour photograph of the left eye. The fluorescein angiogram of the eye showed leakage.", "", True),
        ("43-year-old female. OCT confirmed a macular hole.", "macular hole", True),
        ("Color fundus photo, angiogram showed leakage.", "", True),
        ("", "", True),
    ],
)
def test_a_caption_tells_a_photograph_from_another_picture(
    caption: str, keywords: str, photograph: bool
) -> None:
    assert is_colour_photograph(caption, keywords) is photograph


@pytest.mark.parametrize(
    ("caption", "years", "is_male", "is_left", "diabetic"),
    [
        ("43-year-old female, macular hole.", 43.0, 0.0, None, None),
        ("Image of the left macula of a 6 month old boy.", 0.5, 1.0, 1.0, None),
        ("62 y/o diabetic male. The mother, 85 years old, is blind.", None, 1.0, None, 1.0),
        ("Photo of right eye. Photo of left eye of a man and a woman.", None, None, None, None),
        ("The left eye had been treated, the patient with type 2 diabetes.", None, None, None, 1.0),
        ("70-year-old woman without diabetes, family history of type 2 diabetes.", 70.0, 0.0, None, None),
        ("Goldmann perimetry, humane society.", None, None, None, None),
    ],
)
def test_only_what_a_caption_plainly_states_is_read(
    caption: str, years: float | None, is_male: float | None, is_left: float | None, diabetic: float | None
) -> None:
    assert (age(caption), sex(caption), eye(caption), diabetes(caption)) == (
        years,
        is_male,
        is_left,
        diabetic,
    )


def test_an_age_that_nobody_has_is_noted(write: Write) -> None:
    with pytest.raises(Unusable):
        age("a 430-year-old man")
    loaded = load(write([{KEY: {**ENTRY, "clinical-description": "a 430-year-old man"}}]), "deepeyenet")
    assert pd.isna(loaded.table["age"].iloc[0])
    assert loaded.unread["reason"].tolist() == ["outside 0 to 120"]


@pytest.mark.parametrize(
    "entry", [None, 3, "text", [], {}, {KEY: None}, {KEY: []}, {KEY: "text"}, {"": ENTRY}], ids=repr
)
def test_an_entry_of_another_shape_is_set_aside_with_its_number(write: Write, entry: object) -> None:
    loaded = load(write([{KEY: ENTRY}, entry]), "deepeyenet")
    assert (len(loaded.table), loaded.quarantine["row"].tolist()) == (1, [2])


def test_fields_that_are_no_text_are_missing(write: Write) -> None:
    loaded = load(write([{KEY: {"keywords": ["a"], "clinical-description": 3}}]), "deepeyenet")
    assert loaded.table["note"].isna().all()


def test_half_a_character_does_not_break_the_table(write: Write) -> None:
    loaded = load(
        write([{KEY: {"keywords": "\ud800", "clinical-description": "\udfff"}}, {"\ud800.jpg": ENTRY}]),
        "deepeyenet",
    )
    assert (len(loaded.table), len(loaded.quarantine)) == (1, 1)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"[" * 200_000, "nested too deeply"),
        (b'[{"a": ', "not JSON"),
        (b"\xff\xfe\x00", "not JSON in UTF-8"),
        (b"[" + b"9" * 5000 + b"]", "not JSON"),
        (b'"text"', "holds no list"),
        (b"", "not JSON"),
    ],
)
def test_a_file_that_is_no_list_is_refused(write: Write, content: bytes, says: str) -> None:
    with pytest.raises(DataError, match=says):
        load(write(content), "deepeyenet")


def test_an_implausibly_large_file_is_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client.adapters.entries, "MAX_BYTES", 10)
    with pytest.raises(DataError, match="implausibly large"):
        load(write([{KEY: ENTRY}]), "deepeyenet")


def test_a_folder_without_lists_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no list of photographs"):
        load(tmp_path, "deepeyenet")


_LEAF = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
_FIELDS = st.dictionaries(st.sampled_from(["keywords", "clinical-description", "x"]), _LEAF, max_size=3)
_ENTRIES = st.lists(
    _LEAF
    | st.lists(_LEAF, max_size=2)
    | st.dictionaries(st.sampled_from([KEY, "a.jpg", "../b.jpg"]) | st.text(), _FIELDS | _LEAF),
    max_size=8,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entries=_ENTRIES, cut=st.integers(0, 400))
def test_no_entry_is_lost_whatever_it_holds(write: Write, entries: list[object], cut: int) -> None:
    expected = 1 + sum(len(entry) if isinstance(entry, dict) and entry else 1 for entry in entries)
    loaded = load(write([{KEY: ENTRY}, *entries]), "deepeyenet")
    assert set(loaded.lines.values()) | set(loaded.quarantine["row"]) == set(range(1, expected + 1))
    content = json.dumps([{KEY: ENTRY}, *entries]).encode()
    with contextlib.suppress(FedFundusError):
        load(write(content[: max(0, len(content) - cut)] if cut else content), "deepeyenet")
