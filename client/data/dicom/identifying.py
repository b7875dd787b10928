"""Which elements of a DICOM header would identify a patient, a member of staff or a hospital: kinds, never values.

The list follows the basic application confidentiality profile of DICOM PS3.15, annex E, as far as its elements occur
in photographs of the eye.
"""

from __future__ import annotations

from pathlib import Path

from client.data.dicom.header import Header, parse_header, read_header

IDENTIFYING = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientBirthTime",
    "PatientBirthName",
    "PatientMotherBirthName",
    "OtherPatientIDs",
    "OtherPatientNames",
    "PatientAddress",
    "PatientTelephoneNumbers",
    "PatientTelecomInformation",
    "MilitaryRank",
    "MedicalRecordLocator",
    "PatientComments",
    "ResponsiblePerson",
    "ReferringPhysicianName",
    "ReferringPhysicianAddress",
    "ReferringPhysicianTelephoneNumbers",
    "PhysiciansOfRecord",
    "PerformingPhysicianName",
    "NameOfPhysiciansReadingStudy",
    "RequestingPhysician",
    "OperatorsName",
    "InstitutionName",
    "InstitutionAddress",
    "InstitutionalDepartmentName",
    "AccessionNumber",
)
PSEUDONYMS = frozenset({"PatientID", "PatientName"})  # what a de-identified file needs and keeps


def header_identifiers(source: bytes | Path) -> tuple[str, ...]:
    """The kinds of identifier a file's header holds, such as `dicom.PatientName`, sorted; () where it is no DICOM.

    `dicom.private_tags` where a maker's own elements are filled, `dicom.BurnedInAnnotation` where the header says that
    the pixels show text. A file that declares its patient's identity removed may keep a pseudonym as name and id.
    Raises UnreadablePhotograph for a header that cannot be read.
    """
    header = read_header(source) if isinstance(source, Path) else parse_header(source)
    if header is None:
        return ()
    kept = PSEUDONYMS if header.text("PatientIdentityRemoved").upper() == "YES" else frozenset()
    found = {name for name in IDENTIFYING if name not in kept and header.text(name).strip("^= ")}
    if header.items("OtherPatientIDsSequence"):
        found.add("OtherPatientIDs")
    if header.text("BurnedInAnnotation").upper() == "YES":
        found.add("BurnedInAnnotation")
    if _has_private(header):
        found.add("private_tags")
    return tuple(sorted(f"dicom.{name}" for name in found))


def _has_private(header: Header) -> bool:
    """Whether a private element holds something; those that only reserve a block (gggg,00xx) do not count."""
    tags = header.dataset.keys()  # not the data set itself, which would read every value
    return any(tag >> 16 & 1 and tag & 0xFFFF >= 0x1000 and _filled(header, tag) for tag in tags)


def _filled(header: Header, tag: int) -> bool:
    element = header.dataset.get_item(tag)
    return element is not None and bool(element.value)
