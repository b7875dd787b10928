"""DICOM photographs of the eye: to pixels like any other photograph, and what their headers say.

pydicom reads the headers and frames, Pillow and CharLS the compressed pixels; nothing is read that the file does not
declare within the pipeline's limits. Every refusal is an UnreadablePhotograph.
"""

from client.data.dicom.header import Header, is_dicom, parse_header, read_header
from client.data.dicom.identifying import header_identifiers
from client.data.dicom.objects import SECONDARY_CAPTURES, refused_kind
from client.data.dicom.photograph import read_dicom

__all__ = [
    "SECONDARY_CAPTURES",
    "Header",
    "header_identifiers",
    "is_dicom",
    "parse_header",
    "read_dicom",
    "read_header",
    "refused_kind",
]
