"""Plants near-duplicates: one exposure stored a second time, after what hospitals' systems do to photographs.

A second photograph of the same eye is not one, and the drawn data set has many of those: they are what a judge of
duplicates must leave alone.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

from simulations.dirt.files import alike
from simulations.dirt.site import Generator, Row, Site

Alter = Callable[[Image.Image, Generator], tuple[Image.Image, str]]


def plant_near_duplicates(site: Site, count: int) -> None:
    """Plant `count` of them, half within a patient and half across two of the same grade."""
    within = site.take_rows(count - count // 2)
    across = site.take_pairs(count // 2, alike)
    pairs: list[tuple[Row, Row | None]] = [*((row, None) for row in within), *across]
    for k, (row, other) in enumerate(pairs):
        if other is None:
            target = site.another_photograph(row)
            site.truth.tolerated.setdefault("eye_twice", []).extend((row["image_id"], target["image_id"]))
        else:
            target = other
        with Image.open(site.path(row)) as opened:
            picture, sort = WAYS[k % len(WAYS)](opened.convert("RGB"), site.random)
        _store(site, target, picture, sort)
        site.truth.add("near_duplicate", sort, row["image_id"], target["image_id"])
        named = site.truth.tolerated.get("identifier_in_header", [])
        if row["image_id"] in named:  # a real photograph's own comment goes with the copy
            named.append(target["image_id"])


def _store(site: Site, row: Row, picture: Image.Image, sort: str) -> None:
    if sort == "png":
        site.path(row).unlink(missing_ok=True)
        picture.save(site.path(row).with_suffix(".png"))
        return
    quality = int(sort.rsplit(maxsplit=1)[-1]) if sort.startswith("jpeg") else 92
    site.path(row).write_bytes(_jpeg(picture, quality))


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _compress(picture: Image.Image, random: Generator) -> tuple[Image.Image, str]:
    return picture, f"jpeg {int(random.integers(40, 91))}"


def _shrink(picture: Image.Image, random: Generator) -> tuple[Image.Image, str]:
    scale = float(random.uniform(0.45, 0.9))
    size = (round(picture.width * scale), round(picture.height * scale))
    return picture.resize(size, Image.Resampling.LANCZOS), f"resized to {scale:.2f}"


def _enlarge(picture: Image.Image, random: Generator) -> tuple[Image.Image, str]:
    scale = float(random.uniform(1.2, 2))
    size = (round(picture.width * scale), round(picture.height * scale))
    return picture.resize(size, Image.Resampling.BICUBIC), f"resized to {scale:.2f}"


def _crop(picture: Image.Image, random: Generator) -> tuple[Image.Image, str]:
    """Up to 3 % of the width and of the height are lost in all."""
    cut = float(random.uniform(0.01, 0.03))
    wide, high = cut * picture.width, cut * picture.height
    left, up = random.random(), random.random()
    box = (left * wide, up * high, picture.width - (1 - left) * wide, picture.height - (1 - up) * high)
    return picture.crop(tuple(round(edge) for edge in box)), f"cropped by {cut:.3f}"  # type: ignore[arg-type]


def _brighten(picture: Image.Image, random: Generator) -> tuple[Image.Image, str]:
    factor = float(random.choice([random.uniform(0.88, 0.96), random.uniform(1.04, 1.12)]))
    return picture.point(
        [min(255, round(level * factor)) for level in range(256)] * 3
    ), f"brightness {factor:.2f}"


def _gamma(picture: Image.Image, random: Generator) -> tuple[Image.Image, str]:
    gamma = float(random.choice([random.uniform(0.85, 0.95), random.uniform(1.05, 1.18)]))
    table = np.rint(255 * (np.arange(256) / 255) ** gamma).astype(int).tolist()
    return picture.point(table * 3), f"gamma {gamma:.2f}"


def _png(picture: Image.Image, random: Generator) -> tuple[Image.Image, str]:
    return picture, "png"


def _export(picture: Image.Image, random: Generator) -> tuple[Image.Image, str]:
    """What a records system makes of it: smaller, a little cropped and compressed anew."""
    smaller, _ = _shrink(picture, random)
    cropped, _ = _crop(smaller, random)
    return cropped, f"jpeg resized and cropped, quality {int(random.integers(60, 91))}"


WAYS: tuple[Alter, ...] = (_compress, _shrink, _crop, _brighten, _gamma, _png, _enlarge, _export)
