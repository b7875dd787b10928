"""Plants people in the headers of photographs, and headers as cameras write them, which name nobody.

EXIF is what the issue asks for; the JPEG comment and XMP, where some fundus cameras put the patient, are planted
under a name of their own, so that the figure says which place was looked at.
"""

from __future__ import annotations

import io

from PIL import Image
from PIL.ExifTags import GPS, Base
from PIL.TiffImagePlugin import IFDRational

from simulations.dirt.names import person
from simulations.dirt.site import Generator, Site

EXIF_IFD, GPS_IFD = 0x8769, 0x8825
IDENTIFYING = ("Artist", "UserComment", "GPS", "ImageDescription", "comment", "xmp")
GOOD = ("turned by EXIF", "png", "cmyk", "progressive")


def plant_headers(site: Site, named: int, harmless: int, unusual: int) -> None:
    """Plant headers that name somebody, camera headers that do not, and sound photographs in unusual files."""
    for k, row in enumerate(site.take_rows(named)):
        sort = IDENTIFYING[k % len(IDENTIFYING)]
        _rewrite(site, row["image_id"], sort, site.random)
        site.truth.add("identifier_in_header", sort, row["image_id"])
    for row in site.take_rows(harmless):
        _rewrite(site, row["image_id"], "camera", site.random)
        site.truth.add("harmless_header", "camera", row["image_id"])
    for k, row in enumerate(site.take_rows(unusual)):
        _unusual(site, row["image_id"], GOOD[k % len(GOOD)])
        site.truth.add("unusual_but_good", GOOD[k % len(GOOD)], row["image_id"])


def _rewrite(site: Site, record: str, sort: str, random: Generator) -> None:
    path = site.photographs / f"{record}.jpg"
    somebody = person(random, bool(random.random() < 0.5))
    exif = Image.Exif()
    exif[Base.Make], exif[Base.Model] = "Canon Inc.", "CR-2 AF"
    exif[Base.DateTime], exif[Base.Software] = "2021:05:14 09:31:07", "Retinal Imaging Control 3.1"
    extra: dict[str, bytes] = {}
    if sort == "Artist":
        exif[Base.Artist] = somebody.name
    elif sort == "ImageDescription":
        exif[Base.ImageDescription] = f"Patient: {somebody.name}, DOB {somebody.born}"
    elif sort == "UserComment":
        exif.get_ifd(EXIF_IFD)[Base.UserComment] = b"ASCII\0\0\0" + f"Patient {somebody.name}".encode()
    elif sort == "GPS":
        exif.get_ifd(GPS_IFD).update(_position(random))
    elif sort == "comment":
        extra["comment"] = f"Patient: {somebody.name}; born {somebody.born}".encode()
    elif sort == "xmp":
        extra["xmp"] = _xmp(somebody.name)
    else:
        exif[Base.ImageDescription] = ("OLYMPUS DIGITAL CAMERA", "Fundus 45 deg OD", "")[
            int(random.integers(3))
        ]
        exif.get_ifd(EXIF_IFD)[Base.UserComment] = b"ASCII\0\0\0" + b"flash 3 gain 2"
    path.write_bytes(_saved(path, exif, extra))


def _saved(path: object, exif: Image.Exif, extra: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with Image.open(str(path)) as opened:
        opened.convert("RGB").save(buffer, "JPEG", quality=93, exif=exif, **extra)
    return buffer.getvalue()


def _position(random: Generator) -> dict[int, object]:
    south, west = (
        (IFDRational(int(d)), IFDRational(int(m)), IFDRational(0)) for d, m in random.integers(1, 59, (2, 2))
    )
    return {GPS.GPSLatitudeRef: "S", GPS.GPSLatitude: south, GPS.GPSLongitudeRef: "W", GPS.GPSLongitude: west}


def _xmp(name: str) -> bytes:
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:description><rdf:Alt>'
        f'<rdf:li xml:lang="x-default">Patient: {name}</rdf:li></rdf:Alt></dc:description></rdf:Description>'
        "</rdf:RDF></x:xmpmeta>"
    ).encode()


def _unusual(site: Site, record: str, sort: str) -> None:
    path = site.photographs / f"{record}.jpg"
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    if sort == "png":
        path.unlink()
        picture.save(path.with_suffix(".png"))
    elif sort == "cmyk":
        picture.convert("CMYK").save(path, quality=93)
    elif sort == "progressive":
        picture.save(path, quality=93, progressive=True, icc_profile=b"")
    else:
        exif = Image.Exif()
        exif[Base.Orientation] = 8
        picture.transpose(Image.Transpose.ROTATE_270).save(path, quality=93, exif=exif)
