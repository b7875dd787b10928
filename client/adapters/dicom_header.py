"""What a record takes from the header of a DICOM photograph: patient, visit, eye, age, sex, camera.

Values are read as the standard defines them (PS3.3, C.7 and C.8.17); one that is absent is missing, one that cannot
be what its element means is Unusable. An eye that the header contradicts itself about is not guessed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from client.adapters.dates import DAYS_A_YEAR, read_date, years_between
from client.adapters.values import Unusable

if TYPE_CHECKING:  # its library takes half a second to import, also for sites without a DICOM file
    from client.data.dicom import Header

Texts = Mapping[str, str]  # keyword -> text, "" where absent

KEYWORDS = (
    "SOPInstanceUID",
    "SOPClassUID",
    "StudyInstanceUID",
    "StudyDate",
    "AcquisitionDateTime",
    "ContentDate",
    "AccessionNumber",
    "PatientID",
    "IssuerOfPatientID",
    "PatientAge",
    "PatientBirthDate",
    "PatientSex",
    "ImageLaterality",
    "Laterality",
    "Manufacturer",
    "ManufacturerModelName",
    "PhotometricInterpretation",
)
LATERALITIES = ("ImageLaterality", "FrameLaterality", "Laterality")

_AGE = re.compile(r"([0-9]{1,3})([DWMY])")
_UNITS = {"D": 1 / DAYS_A_YEAR, "W": 7 / DAYS_A_YEAR, "M": 1 / 12, "Y": 1.0}
_DATE = ("%Y%m%d",)


def texts_of(header: Header) -> dict[str, str]:
    """The texts that records are made of, without the rest of the header."""
    texts = {keyword: header.text(keyword) for keyword in KEYWORDS}
    texts["SOPInstanceUID"] = header.uid("SOPInstanceUID")
    groups = ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence")
    frames = [
        item.text("FrameLaterality")
        for group in groups
        for item in header.items(group, "FrameAnatomySequence")
    ]
    texts["FrameLaterality"] = next(filter(None, frames), "")
    return texts


def eye(texts: Texts) -> float | None:
    """1 left, 0 right. Raises Unusable for both eyes, or where two elements disagree."""
    said = {texts[keyword].upper() for keyword in LATERALITIES} - {"", "U"}  # U: not one of a pair
    if len(said) > 1:
        raise Unusable("the header names two eyes")
    if not said:
        return None
    code = said.pop()
    if code not in ("L", "R"):
        raise Unusable("a picture of both eyes" if code == "B" else "not a code of this column")
    return float(code == "L")


def age(text: str) -> float | None:
    """Years of an age such as 057Y or 018M."""
    if not text:
        return None
    found = _AGE.fullmatch(text.upper())
    if found is None:
        raise Unusable("not a number of days, weeks, months or years")
    return _plausible(int(found[1]) * _UNITS[found[2]])


def age_at_study(texts: Texts) -> float | None:
    """Years from birth to the study, None where either date is absent."""
    born = read_date(texts["PatientBirthDate"], _DATE)
    dates = (texts[keyword][:8] for keyword in ("StudyDate", "AcquisitionDateTime", "ContentDate"))
    taken = read_date(next(filter(None, dates), ""), _DATE)
    return _plausible(years_between(born, taken)) if born and taken else None


def sex(text: str) -> float | None:
    """1 male, 0 female."""
    if text.upper() in ("", "O"):  # O: other
        return None
    if text.upper() not in ("M", "F"):
        raise Unusable("not a code of this column")
    return float(text.upper() == "M")


def camera(texts: Texts) -> str | None:
    """Maker and model."""
    maker, model = texts["Manufacturer"], texts["ManufacturerModelName"]
    return (
        model if maker and model.casefold().startswith(maker.casefold()) else f"{maker} {model}"
    ).strip() or None


def visit(texts: Texts) -> str | None:
    """The study, or its date where it has no identifier."""
    return texts["StudyInstanceUID"] or texts["StudyDate"] or None


class Patients:
    """Tells patients apart whose hospitals gave them the same number; texts: of every file."""

    def __init__(self, texts: Iterable[Texts]) -> None:
        self._issuers: dict[str, set[str]] = defaultdict(set)
        for one in texts:
            self._issuers[one["PatientID"]].add(one["IssuerOfPatientID"])

    def identifier(self, texts: Texts) -> str | None:
        """The patient of a file, None where it names none.

        The issuer counts only where a number has several: otherwise a file that leaves it out would make two patients
        of one. Raises Unusable where such a file could be of either.
        """
        number, issuer = texts["PatientID"], texts["IssuerOfPatientID"]
        if not number or len(self._issuers[number] - {""}) < 2:
            return number or None
        if not issuer:
            raise Unusable("given by several issuers, and this file names none")
        return f"{issuer}/{number}"


def _plausible(years: float) -> float:
    if not 0 <= years <= 120:
        raise Unusable("outside 0 to 120")
    return years
