"""Records from DICOM headers alone, and which files become none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset

from client.adapters import Loaded, load
from client.adapters.dicom import example_options, recognises
from client.data.images import build_image_store
from shared_model.errors import DataError
from tests.client.data.dicom.files import disc, photograph, rle

Write = Callable[..., Path]


def one(loaded: Loaded) -> dict[str, Any]:
    assert len(loaded.table) == 1
    return {str(k): v for k, v in loaded.table.iloc[0].to_dict().items()}


def test_a_record_is_read_from_the_header(folder: Path, write: Write) -> None:
    path = write(
        "a/b/IM000001",
        PatientID="P-7",
        PatientAge="057Y",
        PatientSex="F",
        ImageLaterality="L",
        Manufacturer="Topcon",
        ManufacturerModelName="NW400",
        StudyInstanceUID="1.2.9",
    )
    record = one(load(folder, "dicom"))
    assert record["record_id"] == "1.2.3.1"
    assert (record["patient_id"], record["visit"], record["image_path"]) == ("P-7", "1.2.9", str(path))
    assert (record["age"], record["sex"], record["eye"], record["camera"]) == (57.0, 0.0, 1.0, "Topcon NW400")
    for name in ("icdr", "sdrg", "note", "diabetes"):
        assert (
            np.isnan(record[name]) if isinstance(record[name], float) else record[name] is not record["eye"]
        )


def test_files_of_any_name_in_any_folder_are_read_and_the_others_are_counted(
    folder: Path, write: Write
) -> None:
    for number, name in enumerate(("IM1", "x.dcm", "deep/er/1.2.3.jpg", "y.csv")):
        write(name, number)
    (folder / "DICOMDIR").write_bytes(photograph(SOPInstanceUID="9"))
    (folder / "readme.txt").write_text("hello")
    (folder / "loose.jpg").write_bytes(b"\xff\xd8\xff" * 60)
    loaded = load(folder, "dicom")
    assert len(loaded.table) == 4
    assert [Path(path).name for path in loaded.unclaimed] == ["loose.jpg"]
    assert any(said.startswith("2 files of the folder are no DICOM files") for said in loaded.notices)
    assert any("not for grading" in said for said in loaded.notices)


def test_the_photographs_reach_the_image_store(folder: Path, write: Write, tmp_path: Path) -> None:
    write("one")
    write("two", 2, syntax=uid.RLELossless, value=rle(disc()))
    write("three", 3, syntax=uid.MPEG4HP41, value=b"12")
    loaded = load(folder, "dicom")
    store, quarantine = build_image_store(loaded.table, tmp_path / "photos.npy", 16, lines=loaded.lines)
    assert len(store) == 2
    assert np.array_equal(*store.batch([0, 1]))
    assert quarantine["reason"].tolist() == [
        "the DICOM transfer syntax MPEG-4 AVC/H.264 High Profile / Level 4.1 is not read"
    ]


def frame_laterality(code: str) -> Dataset:
    item, group = Dataset(), Dataset()
    item.FrameLaterality = code
    group.FrameAnatomySequence = [item]
    return group


@pytest.mark.parametrize(
    ("elements", "eye"),
    [
        ({"ImageLaterality": "R"}, 0.0),
        ({"Laterality": "L"}, 1.0),
        ({"ImageLaterality": "L", "Laterality": "U"}, 1.0),
        ({"SharedFunctionalGroupsSequence": [frame_laterality("L")]}, 1.0),
        ({"PerFrameFunctionalGroupsSequence": [frame_laterality("R")]}, 0.0),
        ({}, None),
        ({"ImageLaterality": "L", "Laterality": "R"}, "the header names two eyes"),
        ({"ImageLaterality": "B"}, "a picture of both eyes"),
        ({"Laterality": "X"}, "not a code of this column"),
    ],
)
def test_the_eye_is_read_and_never_guessed(
    folder: Path, write: Write, elements: dict[str, Any], eye: float | str | None
) -> None:
    write("one", **elements)
    loaded = load(folder, "dicom")
    assert one(loaded)["eye"] == eye if isinstance(eye, float) else np.isnan(one(loaded)["eye"])
    assert loaded.unread["reason"].tolist() == ([eye] if isinstance(eye, str) else [])


@pytest.mark.parametrize(
    ("elements", "age", "reasons"),
    [
        ({"PatientAge": "057Y"}, 57.0, []),
        ({"PatientAge": "018M"}, 1.5, []),
        ({"PatientAge": "052W"}, pytest.approx(1.0, abs=0.01), []),
        ({"PatientBirthDate": "19600615", "StudyDate": "20200614"}, 59.0, []),
        ({"PatientBirthDate": "19600615", "AcquisitionDateTime": "20200615101500.00"}, 60.0, []),
        ({"PatientBirthDate": "19600615"}, None, []),
        ({"PatientAge": "210Y"}, None, ["outside 0 to 120"]),
        ({"PatientAge": "fifty"}, None, ["not a number of days, weeks, months or years"]),
        (
            {"PatientBirthDate": "20300101", "StudyDate": "20200101"},
            None,
            ["after the date of the examination"],
        ),
        (
            {"PatientBirthDate": "unknown!", "StudyDate": "20200101"},
            None,
            ["not a date in one of the formats named"],
        ),
    ],
)
def test_ages_come_from_the_header_or_from_two_dates(
    folder: Path, write: Write, elements: dict[str, Any], age: Any, reasons: list[str]
) -> None:
    write("one", **elements)
    loaded = load(folder, "dicom")
    assert one(loaded)["age"] == age if age is not None else np.isnan(one(loaded)["age"])
    assert loaded.unread["reason"].tolist() == reasons


def test_a_sex_that_is_no_code_is_noted_and_other_is_missing(folder: Path, write: Write) -> None:
    for number, code in enumerate(("M", "F", "O", "W")):
        write(str(number), number, PatientSex=code)
    loaded = load(folder, "dicom")
    assert loaded.table["sex"].tolist()[:2] == [1.0, 0.0]
    assert loaded.table["sex"].isna().tolist() == [False, False, True, True]
    assert loaded.unread[["row", "column"]].values.tolist() == [[4, "PatientSex"]]


def test_a_study_without_an_identifier_is_told_by_its_date(folder: Path, write: Write) -> None:
    write("one", StudyInstanceUID=None, StudyDate="20200101")
    assert one(load(folder, "dicom"))["visit"] == "20200101"


def test_the_same_number_of_two_issuers_is_two_patients(folder: Path, write: Write) -> None:
    write("1", 1, PatientID="7", IssuerOfPatientID="North")
    write("2", 2, PatientID="7", IssuerOfPatientID="South")
    write("3", 3, PatientID="7")
    write("4", 4, PatientID="8", IssuerOfPatientID="North")
    write("5", 5, PatientID="8")
    loaded = load(folder, "dicom")
    assert loaded.table["patient_id"].tolist() == ["North/7", "South/7", "8", "8"]
    assert loaded.quarantine["reason"].tolist() == ["given by several issuers, and this file names none"]


def test_what_cannot_be_used_is_set_aside_with_its_reason(folder: Path, write: Write) -> None:
    write("a", 1)
    write("b", 1)
    write("c", 3, PatientID=None)
    write("d", 4, SOPInstanceUID=None)
    write("e", 5, SOPClassUID="1.2.840.10008.5.1.4.1.1.77.1.5.4")
    write("f", 6, NumberOfFrames=3)
    write("g", 7, SOPInstanceUID="not a uid")
    (folder / "h").write_bytes(photograph()[:300])
    (folder / "i").write_bytes(photograph()[:140])
    report = photograph(SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1")
    (folder / "j").write_bytes(report[: report.index(b"\xe0\x7f\x10\x00")])
    loaded = load(folder, "dicom")
    assert loaded.table["record_id"].tolist() == ["1.2.3.1"]
    assert loaded.quarantine["row"].tolist() == list(range(2, 11))
    assert loaded.quarantine["reason"].tolist() == [
        "another file has the same SOPInstanceUID: file 1",
        "missing",
        "missing",
        "a DICOM object of another kind (Ophthalmic Tomography Image)",
        "a DICOM file of 3 frames: export each photograph as a file of its own",
        "missing",
        "a DICOM file that ends before its pixel data, or has none",
        "a DICOM file that does not name its transfer syntax",
        "a DICOM object of another kind (Encapsulated PDF)",
    ]
    assert loaded.quarantine["record"].tolist()[6:] == ["h", "i", "j"]


def test_a_file_that_is_called_dicom_and_is_none_is_set_aside(folder: Path, write: Write) -> None:
    write("b.dcm")
    (folder / "a.dcm").write_bytes(b"")
    (folder / "c.DICOM").write_bytes(bytes(500))
    loaded = load(folder, "dicom")
    assert loaded.quarantine[["row", "record"]].values.tolist() == [[1, "a.dcm"], [3, "c.DICOM"]]
    assert set(loaded.quarantine["reason"]) == {"not a DICOM file, whatever its name says"}


def test_greyscale_and_secondary_captures_are_counted(folder: Path, write: Write) -> None:
    write("1", 1, pixels=disc()[..., 0].copy(), photometric="MONOCHROME2")
    write("2", 2, SOPClassUID=uid.SecondaryCaptureImageStorage)
    said = " ".join(load(folder, "dicom").notices)
    assert "1 photograph is greyscale" in said
    assert "1 photograph is a secondary capture" in said


def test_a_folder_without_a_usable_photograph_is_refused(folder: Path, write: Write) -> None:
    write("1", NumberOfFrames=2)
    with pytest.raises(DataError, match="all 1 are set aside") as caught:
        load(folder, "dicom")
    assert "of 2 frames" not in str(caught.value)
    assert "of 2 frames" in load(folder, "dicom", allow_empty=True).quarantine["reason"].item()


def test_init_recognises_the_folder_and_offers_a_section(folder: Path, write: Write) -> None:
    write("deep/one")
    assert recognises(folder)
    assert not recognises(folder.parent / "nowhere")
    section = "\n".join(line.removeprefix("# ") for line in example_options(folder).splitlines())
    import tomllib

    options = tomllib.loads(section)["data"]["dicom"]
    (folder / "labels.csv").write_text("SOP Instance UID,Eye,DR grade,Report\n1.2.3.1,R,2,Mild.\n")
    assert one(load(folder, "dicom", options=options))["icdr"] == 2
