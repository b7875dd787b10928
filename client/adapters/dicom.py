"""DICOM photographs of the eye: a folder tree of files of any name, as a PACS or a camera exports them.

Patient, visit, eye, age, sex and camera come from the headers; grades, notes and the rest from an optional table
(client.adapters.dicom_labels). Without one the site takes part with its photographs alone. Files of other kinds are
set aside by the name of their class.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from client.adapters import Loaded, Source
from client.adapters.delimited import Row
from client.adapters.dicom_header import Patients, Texts, age, age_at_study, camera, eye, sex, texts_of, visit
from client.adapters.dicom_labels import LabelTable, names_of, read_options
from client.adapters.photographs import ENDINGS, Photographs
from client.adapters.reading import Reading
from client.adapters.values import Unusable
from client.data.decoded import UnreadablePhotograph
from shared_model.records import FINDINGS
from shared_model.wording import counted, worded

SOURCE = "DICOM files by path"
TWICE = "another file has the same SOPInstanceUID"
NO_DICOM = "not a DICOM file, whatever its name says"
_ENDINGS = (".dcm", ".dicom")  # most exports have none
_TABLES = (".csv", ".parquet", ".pq", ".toml")
_GRADES = ("icdr", "sdrg")
_LABELLED = (
    "diabetes_duration",
    "insulin",
    "diabetes",
    "image_field",
    *(f"finding_{name}" for name in FINDINGS),
)
_EITHER = ("age", "sex", "eye", "camera", "center")  # from the header first
_LOOKED_AT = 500  # files that are opened to recognise a folder


class _File(NamedTuple):
    number: int  # its place among the DICOM files, from 1
    path: str
    relative: str
    texts: Texts
    problem: str
    captured: bool = False  # a secondary capture


def read(source: Source) -> Loaded:
    """The records of a folder of DICOM files; see client.adapters.load."""
    options = read_options(source.options)
    labels = LabelTable(source.folder, options.labels) if options.labels else None
    files, others = _found(source.folder)
    records = _Records(files, others, labels)
    for file in files:
        records.take(file)
    records.close()
    return records.reading.loaded(
        source.folder,
        records.notices(),
        len(files) + (len(labels.rows) if labels else 0),
        hint="Give the folder that holds the DICOM photographs; files of any name are looked at, in all its folders.",
    )


def recognises(data: Path) -> bool:
    """Whether one of the first files of the folder is a DICOM file."""
    return any(_begins_as_dicom(path) for path, _ in islice(_walk(data), _LOOKED_AT))


def example_options(data: Path) -> str:
    """The section of site.toml, for a table of labels that may be there."""
    return """[data.dicom]                       # patient, eye, age, sex and camera come from the headers
# [data.dicom.labels]              # grades and notes: a table beside the photographs; without it there are none
# file = "labels.csv"              # CSV or Parquet, within the data folder
# match = "sop_instance_uid"       # what the key is: sop_instance_uid, file (name or path), accession_number
# [data.dicom.labels.columns]      # and [data.dicom.labels.codes], .units: as in [data.table]
# key = "SOP Instance UID"
# eye = "Eye"                      # needed beside accession numbers where the two eyes have grades of their own
# icdr = "DR grade"
# note = ["Report"]
"""


class _Other(Photographs):
    """The photographs of the folder that are no DICOM files: nobody names them."""

    def __init__(self, paths: Collection[str]) -> None:
        self._others = tuple(path for path in paths if os.path.splitext(path)[1].casefold() in ENDINGS)

    def __len__(self) -> int:
        return len(self._others)

    def find(self, name: str) -> str | None:
        return None

    def others(self, named: Collection[str]) -> tuple[str, ...]:
        return self._others


class _Records:
    """Turns files into records, and counts what a person should know about them."""

    def __init__(self, files: list[_File], others: list[str], labels: LabelTable | None) -> None:
        self.reading = Reading(SOURCE, _Other(others), "file")
        self._labels = labels
        self._total = len(files)
        self._patients = Patients(file.texts for file in files if not file.problem)
        self._names = (
            Counter(name for file in files for name in names_of(file.relative)) if labels else Counter()
        )
        self._counts = Counter(other=len(others))

    def take(self, file: _File) -> None:
        """Add the file to the records, or its problems to the quarantine."""
        reading, texts = self.reading, file.texts
        if file.problem:
            reading.refuse(file.number, file.relative, ("", file.problem))
            return
        problems: list[tuple[str, str]] = []
        record = texts["SOPInstanceUID"]
        if not record:
            problems.append(("SOPInstanceUID", "missing"))
        elif record in reading.lines:
            problems.append(("SOPInstanceUID", f"{TWICE}: file {reading.lines[record]}"))
        patient = self._patient(texts, problems)
        side = reading.optional(file.number, record, "ImageLaterality", "", lambda _: eye(texts))
        row = self._row(file, side, problems)
        grades = {name: self._grade(row, name, problems) for name in _GRADES}
        if problems:
            reading.refuse(file.number, record or file.relative, *problems)
            return
        values = {**self._from_header(file, record, side), **grades}
        for name, value in self._from_labels(file.number, record, row).items():
            values[name] = value if values.get(name) is None else values[name]
        given = {"record_id": record, "patient_id": patient, "image_path": file.path, "visit": visit(texts)}
        reading.add(file.number, {**given, **values})
        self._count(file, row)

    def close(self) -> None:
        """Set the rows of the labels aside that fit no photograph."""
        for row, key, column, reason in self._labels.unused() if self._labels else ():
            self.reading.refuse(self._total + row.line, key, (column, reason))
            self._counts["unused"] += 1

    def notices(self) -> list[str]:
        """What a person should know about the files that were read."""
        said = [f"{counted(self._total, 'DICOM file')}, counted in the order of their paths."]
        if self._labels:
            said.append(f"Line n of the table of labels counts as file {self._total} + n.")
        else:
            said.append(
                "There is no table of labels: the photographs are used for alignment, not for grading."
            )
        return said + [worded(text, self._counts[key]) for key, text in _SAYS.items() if self._counts[key]]

    def _patient(self, texts: Texts, problems: list[tuple[str, str]]) -> str | None:
        try:
            patient = self._patients.identifier(texts)
            problems += [] if patient else [("PatientID", "missing")]
            return patient
        except Unusable as reason:
            problems.append(("PatientID", str(reason)))
            return None

    def _row(self, file: _File, side: float | None, problems: list[tuple[str, str]]) -> Row | None:
        if self._labels is None:
            return None
        try:
            return self._labels.row_of(file.relative, file.texts, side, self._names)
        except Unusable as reason:
            problems.append((self._labels.columns.key, str(reason)))
            return None

    def _grade(self, row: Row | None, name: str, problems: list[tuple[str, str]]) -> object:
        column = self._labels.view.columns.get(name) if self._labels else None
        if self._labels is None or row is None or column is None:
            return None
        try:
            return self._labels.fields.read(name)(self._labels.fields.cell(row.cells, column))
        except Unusable as reason:
            problems.append((column, f"the grade is {reason} (line {row.line} of the table of labels)"))
            return None

    def _from_header(self, file: _File, record: str, side: float | None) -> dict[str, object]:
        reading, number, texts = self.reading, file.number, file.texts
        years = reading.optional(number, record, "PatientAge", texts["PatientAge"], age)
        if years is None:
            years = reading.optional(number, record, "PatientBirthDate", "", lambda _: age_at_study(texts))
        gender = reading.optional(number, record, "PatientSex", texts["PatientSex"], sex)
        return {"age": years, "sex": gender, "eye": side, "camera": camera(texts)}

    def _from_labels(self, number: int, record: str, row: Row | None) -> dict[str, object]:
        """What the row says, every name of a canonical column being there."""
        names = (*_EITHER, *_LABELLED, "note")
        if self._labels is None or row is None:
            return dict.fromkeys(names)
        cells, fields, view = row.cells, self._labels.fields, self._labels.view
        values: dict[str, object] = dict(
            fields.optional(
                view,
                lambda column, how: self.reading.optional(
                    number, record, column, fields.cell(cells, column), how
                ),
            )
        )
        values["note"] = fields.note(cells, view)
        return {name: values.get(name) for name in names}

    def _count(self, file: _File, row: Row | None) -> None:
        self._counts["unlabelled"] += self._labels is not None and row is None
        self._counts["grey"] += file.texts["PhotometricInterpretation"].upper().startswith("MONOCHROME")
        self._counts["captured"] += file.captured


_SAYS = {
    "other": "{n} [file of the folder is no DICOM file and is|files of the folder are no DICOM files and are] not "
    "read.",
    "unused": "{n} [row of the labels fits no photograph and is|rows of the labels fit no photograph and are] set "
    "aside.",
    "unlabelled": "{n} [photograph has|photographs have] no row in the labels: [it is|they are] used, but not for "
    "grading.",
    "grey": "{n} [photograph is|photographs are] greyscale: if red-free, infrared or autofluorescence, move [it|them] "
    "out.",
    "captured": "{n} [photograph is a secondary capture, whose header does|photographs are secondary captures, whose "
    "headers do] not say what [it shows|they show]; look at [it|them] once.",
}


def _found(folder: Path) -> tuple[list[_File], list[str]]:
    """The DICOM files of a folder, and the paths of the others; tables at its top are none of either."""
    # Importing it takes half a second, also for sites without a DICOM file.
    from client.data.dicom import SECONDARY_CAPTURES, read_header, refused_kind

    files: list[_File] = []
    others: list[str] = []
    for path, relative in _walk(folder):
        try:
            header = read_header(Path(path))
            if header is None and not relative.casefold().endswith(_ENDINGS):
                if "/" in relative or not relative.casefold().endswith(_TABLES):
                    others.append(path)
                continue
            texts = texts_of(header) if header else {}
            problem = refused_kind(header) if header else NO_DICOM
        except UnreadablePhotograph as reason:
            texts, problem = {}, str(reason)
        except OSError as error:
            texts, problem = {}, f"the file cannot be opened ({error.strerror})"
        captured = texts.get("SOPClassUID") in SECONDARY_CAPTURES
        files.append(_File(len(files) + 1, path, relative, texts, problem, captured))
    return files, others


def _walk(folder: Path) -> Iterator[tuple[str, str]]:
    """Path and path within the folder of every file, in order; links to folders and directories of discs are left."""
    for where, folders, names in os.walk(os.path.abspath(folder)):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(where, name)
            if name.casefold() != "dicomdir" and os.path.isfile(path):
                yield path, Path(path).relative_to(os.path.abspath(folder)).as_posix()


def _begins_as_dicom(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False
