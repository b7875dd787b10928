from __future__ import annotations

import tempfile
from dataclasses import dataclass
from typing import Any

import pytest
from PIL import Image, PngImagePlugin
from PIL.TiffImagePlugin import IFDRational

from client.check.reader import read

PICTURE = Image.new("RGB", (32, 24), (180, 90, 40))
EXIF_IFD, GPS_IFD = 0x8769, 0x8825


@dataclass(frozen=True)
class Kinds:
    identifiers: tuple[str, ...] = ()
    dated: tuple[str, ...] = ()


def kinds(kind: str = "JPEG", **options: Any) -> Kinds:
    with tempfile.NamedTemporaryFile() as file:
        PICTURE.save(file, kind, **options)
        file.flush()
        measured = read(file.name)
    assert measured.problem == ""
    return Kinds(measured.identifiers, measured.dated)


def exif(
    entries: dict[int, Any], inner: dict[int, Any] | None = None, gps: dict[int, Any] | None = None
) -> Image.Exif:
    made = Image.Exif()
    made.update({0x010F: "Canon Inc.", **entries})  # Pillow writes no PNG block without an entry of its own
    made.get_ifd(EXIF_IFD).update(inner or {})
    made.get_ifd(GPS_IFD).update(gps or {})
    return made


def test_a_plain_file_holds_nothing() -> None:
    assert kinds() == kinds("PNG") == kinds("TIFF") == Kinds()


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        (exif({0x013B: "Maria da Silva"}), "exif.Artist"),
        (exif({0x9C9D: "Maria da Silva".encode("utf-16-le") + b"\0\0"}), "exif.XPAuthor"),
        (exif({0x010E: "Patient: Maria da Silva, DOB 01/02/1950"}), "exif.ImageDescription"),
        (exif({0x010E: "SILVA^MARIA"}), "exif.ImageDescription"),
        (exif({0x9C9C: "Paciente: João Souza".encode("utf-16-le")}), "exif.XPComment"),
        (exif({}, {0x9286: b"ASCII\0\0\0Patient Maria da Silva"}), "exif.UserComment"),
        (exif({}, {0x9286: b"UNICODE\0" + "Prontuário 123456".encode("utf-16")}), "exif.UserComment"),
        (exif({}, {0xA430: "Dr. Ana Costa"}), "exif.CameraOwnerName"),
        (exif({}, {}, {1: "S", 2: (IFDRational(23), IFDRational(5), IFDRational(0))}), "exif.GPS"),
    ],
)
def test_exif_that_names_somebody_is_found_by_kind_only(header: Image.Exif, kind: str) -> None:
    assert kinds(exif=header).identifiers == (kind,)
    assert kinds("PNG", exif=header).identifiers == (kind,)


@pytest.mark.parametrize(
    "header",
    [
        exif({0x010F: "Canon Inc.", 0x0110: "CR-2 AF", 0x0131: "Retinal Imaging Control 3.1"}),
        exif({0x010E: "OLYMPUS DIGITAL CAMERA", 0x013B: "   ", 0x8298: ""}),
        exif({0x010E: "Fundus 45 deg OD"}, {0x9286: b"ASCII\0\0\0flash 3 gain 2"}),
        exif({}, {0x9286: bytes(range(128, 256))}, {0: b"\2\2\0\0"}),
    ],
)
def test_what_cameras_write_of_themselves_identifies_nobody(header: Image.Exif) -> None:
    assert kinds(exif=header).identifiers == ()


def test_dates_and_serial_numbers_are_kept_apart() -> None:
    header = exif({0x0132: "2021:05:14 09:31:07"}, {0x9003: "2021:05:14 09:31:07", 0xA431: "12345678"})
    assert kinds(exif=header) == Kinds(
        (), ("exif.BodySerialNumber", "exif.DateTime", "exif.DateTimeOriginal")
    )


@pytest.mark.parametrize("comment", ["Patient: Maria da Silva", "100320161\0", "DOB 1950-02-01"])
def test_a_jpeg_comment_that_names_somebody_is_found(comment: str) -> None:
    assert kinds(comment=comment.encode()).identifiers == ("jpeg.comment",)


@pytest.mark.parametrize(
    "comment", [b"CREATOR: gd-jpeg v1.0, quality = 90", b"No ID\0", bytes(5000), bytes(range(256))]
)
def test_a_jpeg_comment_that_names_nobody_is_not(comment: bytes) -> None:
    assert kinds(comment=comment).identifiers == ()


def test_png_texts_are_found_and_unknown_keys_are_not_repeated() -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", "Maria da Silva")
    texts.add_text("PatientName Maria", "Silva")
    texts.add_text("Software", "Retinal Imaging Control 123456")
    texts.add_text("Comment", "right eye")
    found = kinds("PNG", pnginfo=texts)
    assert found.identifiers == ("png.Author", "png.patient")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("<dc:creator><rdf:Seq><rdf:li>Maria da Silva</rdf:li></rdf:Seq></dc:creator>", "xmp.creator"),
        ("<dc:description><rdf:li>Patient: Maria da Silva</rdf:li></dc:description>", "xmp.description"),
        ("<rdf:Description exif:GPSLatitude='23,5S'/>", "xmp.GPSLatitude"),
    ],
)
def test_xmp_is_looked_into(body: str, kind: str) -> None:
    packet = f"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF>{body}</rdf:RDF></x:xmpmeta>".encode()
    assert kinds(xmp=packet).identifiers == (kind,)


def test_xmp_of_a_camera_identifies_nobody() -> None:
    packet = b"<rdf:Description xmp:CreatorTool='Imaging 3' xmp:CreateDate='2021-05-14' tiff:Make='Canon'/>"
    assert kinds(xmp=packet) == Kinds((), ("xmp.CreateDate",))
