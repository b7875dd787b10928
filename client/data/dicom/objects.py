"""Which DICOM objects are photographs of the eye that FedFundus reads, and why the others are refused.

Taken are single colour or greyscale photographs: ophthalmic photography of 8 and 16 bits, VL photographs, and secondary
captures, as which older cameras export. Wide-field projections have another geometry than the photographs the model is
trained on, tomographies and reports are no photographs, and a stack of frames does not say which one was graded.
"""

from __future__ import annotations

from pydicom.uid import UID

from client.data.dicom.header import Header

_VL = "1.2.840.10008.5.1.4.1.1.77.1"
SECONDARY_CAPTURES = frozenset(
    {"1.2.840.10008.5.1.4.1.1.7"} | {f"1.2.840.10008.5.1.4.1.1.7.{n}" for n in (2, 3, 4)}
)
PHOTOGRAPHS = frozenset({f"{_VL}.5.1", f"{_VL}.5.2", f"{_VL}.4"}) | SECONDARY_CAPTURES


def refused_kind(header: Header) -> str:
    """Why the object is no photograph that can be used, "" where it is one as far as its header says."""
    uid = header.uid("SOPClassUID")
    if uid not in PHOTOGRAPHS:
        return f"a DICOM object of another kind ({_name(uid)})"
    frames = header.number("NumberOfFrames")
    if frames not in (None, 1):
        return f"a DICOM file of {frames} frames: export each photograph as a file of its own"
    if header.text("ContrastBolusAgent") or header.items("ContrastBolusAgentSequence"):
        return "an angiogram (the header names a contrast agent), not a colour photograph"
    if header.start < 0:
        return "a DICOM file that ends before its pixel data, or has none"
    return ""


def _name(uid: str) -> str:
    """The registered name of a class; the text of an unknown one is the file's own and not repeated."""
    name = UID(uid).name
    if name == uid:
        return "a class that is not registered" if uid else "no class is named"
    return name.removesuffix(" Storage")
