"""DeepEyeNet: photographs with keywords and a clinical description in English, by signed agreement only.

The description and the keywords are the note. Keywords are what was considered, mostly a differential
diagnosis, so that no finding and no grade is taken from them; from a description only what is plainly stated.
The set does not name its patients, and some of its pictures are angiograms.
Source: Huang et al., "DeepOpht", WACV 2021.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from client.adapters import Loaded, Source
from client.adapters.captions import age, diabetes, eye, is_colour_photograph, sex
from client.adapters.entries import Entry, read_entries
from client.adapters.nested import NestedPhotographs
from client.adapters.reading import Reading
from client.adapters.values import is_blank
from shared_model.errors import DataError
from shared_model.wording import worded

FILES = {
    "train": ("deepeyenet_train.json",),
    "validation": ("deepeyenet_valid.json", "deepeyenet_val.json"),
    "test": ("deepeyenet_test.json",),
}
SOURCE = "DeepEyeNet_*.json"
NO_PHOTOGRAPH = "not a colour fundus photograph"
_ROOT = "eyenet0420/"  # what every published name begins with, whether or not the folder is called so


def recognises(folder: Path) -> bool:
    """Whether the folder holds DeepEyeNet's lists; see client.site.init."""
    return any(entry.name.casefold().startswith("deepeyenet_") for entry in folder.glob("*.[jJ]*"))


def read(source: Source) -> Loaded:
    """The records of a folder in DeepEyeNet's layout; see client.adapters.load.

    Entries are counted through the files, train, validation and test.
    """
    files = _files(source.folder)
    entries = _Entries(NestedPhotographs(source.folder))
    for split, path in files.items():
        entries.take_file(split, path)
    hint = "Check that eyenet0420/ or its folders train_set/ and so on lie beside the JSON files."
    return entries.reading.loaded(source.folder, entries.notices(), entries.total, hint=hint)


class _Entries:
    """Reads the entries of all files, and counts what a person should know about them."""

    def __init__(self, photographs: NestedPhotographs) -> None:
        self.reading = Reading(SOURCE, photographs, "entry")
        self.total = 0
        self._angiograms = 0
        self._files: list[str] = []

    def take_file(self, split: str, path: Path) -> None:
        """Add the entries of one file to the records, or their problems to the quarantine."""
        found = read_entries(path)
        for entry in found:
            self._take(self.total + entry.number, entry, split)
        self._files.append(f"{path.name} {self.total + 1} to {self.total + len(found)}")
        self.total += len(found)

    def notices(self) -> list[str]:
        """What a person should know about the entries that were read."""
        said = [
            f"Entries are counted through the files: {', '.join(self._files)}.",
            "DeepEyeNet does not name patients: every photograph counts as a patient of its own.",
            "DeepEyeNet holds no grade: its photographs are used for retrieval, not for grading.",
        ]
        if self._angiograms:
            said.append(
                worded(
                    "{n} [picture is an angiogram|pictures are angiograms] or of another kind, by folder, description "
                    "or keywords, and [is|are] set aside.",
                    self._angiograms,
                )
            )
        return said

    def _take(self, number: int, entry: Entry, split: str) -> None:
        reading = self.reading
        if entry.problem:
            reading.claim(_within(entry.name) or "")
            reading.refuse(number, entry.name, ("", entry.problem))
            return
        problems: list[tuple[str, str]] = []
        name = None if is_blank(entry.name) else entry.name
        if name is None:
            problems.append(("name", "missing"))
        keywords, caption = (
            _clean(entry.fields.get(key, "")) for key in ("keywords", "clinical-description")
        )
        path = reading.photograph("name", _within(name), problems)
        if not is_colour_photograph(caption, keywords, str(PurePosixPath(entry.name).parent)):
            self._angiograms += 1
            problems.append(("", NO_PHOTOGRAPH))
        if problems or name is None or path is None:
            reading.refuse(number, entry.name, *problems, patient=name)
            return
        stated = {"sex": sex(caption), "eye": eye(caption), "diabetes": diabetes(caption)}
        stated["age"] = reading.optional(number, name, "clinical-description", caption, age)
        given = {"record_id": name, "patient_id": name, "image_path": path, "icdr": None, "split": split}
        reading.add(number, {**given, "note": note(caption, keywords), **stated})


def note(caption: str, keywords: str) -> str | None:
    """The description as it stands, then the keywords as a sentence of their own; None where both are blank."""
    parts = [caption, f"Keywords: {keywords.rstrip('.')}." if keywords else ""]
    return "\n".join(part for part in parts if part) or None


def _clean(text: str) -> str:
    stripped = re.sub(r"\s+", " ", text).strip()
    return "" if is_blank(stripped) else stripped


def _within(name: str | None) -> str | None:
    if name is None:
        return None
    return name[len(_ROOT) :] if name.casefold().startswith(_ROOT) else name


def _files(folder: Path) -> dict[str, Path]:
    there = {entry.name.casefold(): entry for entry in sorted(folder.iterdir()) if entry.is_file()}
    found = {s: there[name] for s, names in FILES.items() for name in reversed(names) if name in there}
    if not found:
        raise DataError(
            "There is no list of photographs: looked for DeepEyeNet_train.json, DeepEyeNet_valid.json and "
            "DeepEyeNet_test.json.",
            where=str(folder),
            fix="Give the folder that holds these files and eyenet0420/.",
        )
    return found
