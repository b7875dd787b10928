"""More pictures that are no fundus, drawn after `check` was written and never shown to whoever wrote it.

A judge that knows the drawings it is marked on is marked too well. These are marked on a line of their own, and no
claim rests on them: several are photographs of round, reddish, vessel-bearing tissue that only a person tells apart.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from simulations.dirt.exposure import save
from simulations.dirt.pictures import SIZES, clouds, grid, picture
from simulations.dirt.site import Generator, Site

KIND = "not_a_fundus_unseen"
Draw = Callable[[tuple[int, int], Generator], Image.Image]


def plant_unseen_pictures(site: Site, count: int) -> None:
    """Put `count` such pictures in place of photographs, every sort in turn."""
    sorts = list(SORTS.items())
    for k, row in enumerate(site.take_rows(count)):
        sort, draw = sorts[k % len(sorts)]
        size = SIZES[int(site.random.integers(len(SIZES)))]
        save(site, row["image_id"], draw(size, site.random), quality=88)
        site.truth.add(KIND, sort, row["image_id"], also=("not_a_fundus",))


def _skin_lesion(size: tuple[int, int], random: Generator) -> Image.Image:
    """Dermoscopy: pink skin in a round field, a brown mole with a network in the middle."""
    x, y = grid(size)
    x = x * size[0] / size[1]
    r = np.hypot(x, y)
    skin = np.array((225, 165, 145)) * (1 - 0.15 * r)[..., None] + 5 * clouds(size, 30, random)[..., None]
    edge = 0.35 + 0.08 * clouds(size, 6, random)
    mole = np.array((105, 62, 45)) + 16 * np.sin(x * 60)[..., None] * np.sin(y * 60)[..., None]
    pixels = np.where((r < edge)[..., None], mole, skin)
    return picture(np.where((r < 0.97)[..., None], pixels, 5)).filter(ImageFilter.GaussianBlur(1))


def _eardrum(size: tuple[int, int], random: Generator) -> Image.Image:
    """Otoscopy: a pearly red membrane in a round field, the hammer's handle, a cone of light, a few vessels."""
    x, y = grid(size)
    x = x * size[0] / size[1]
    r = np.hypot(x, y)
    tissue = np.array((205, 130, 105)) * (1 - 0.5 * r**2)[..., None] + 8 * clouds(size, 8, random)[..., None]
    cone = 120 * np.exp(-(((x - 0.2) - 0.4 * (y - 0.3)) ** 2) / 0.006 - (y - 0.35) ** 2 / 0.05)
    image = picture(np.where((r < 0.9)[..., None], tissue + cone[..., None], 4))
    draw = ImageDraw.Draw(image)
    middle = (size[0] / 2, size[1] / 2)
    draw.line((middle[0] - 14, middle[1] - 0.35 * size[1], *middle), fill=(225, 180, 150), width=7)
    for _ in range(5):
        at = middle[0] + random.normal(0, 25)
        draw.line(
            (at, middle[1] - 60, at + random.normal(0, 30), middle[1] + 20), fill=(170, 60, 50), width=2
        )
    return image.filter(ImageFilter.GaussianBlur(1.2))


def _histology(size: tuple[int, int], random: Generator) -> Image.Image:
    """A stained section: pink ground, purple nuclei."""
    image = picture(np.array((232, 175, 205)) + 14 * clouds(size, 20, random)[..., None] + np.zeros(3))
    draw = ImageDraw.Draw(image)
    for x, y, r in random.uniform((0, 0, 2), (size[0], size[1], 5), (500, 3)):
        draw.ellipse((x - r, y - r, x + r, y + r), fill=(95, 55, 130))
    return image.filter(ImageFilter.GaussianBlur(0.7))


def _hand(size: tuple[int, int], random: Generator) -> Image.Image:
    """An open hand on a desk."""
    image = Image.new("RGB", size, tuple(int(c) for c in random.integers(40, 210, 3)))
    draw = ImageDraw.Draw(image)
    skin, w, h = (205, 150, 120), size[0], size[1]
    draw.ellipse((0.3 * w, 0.45 * h, 0.7 * w, 1.05 * h), fill=skin)
    for k in range(5):
        base, tip = (0.34 + 0.08 * k) * w, (0.2 + 0.15 * k) * w
        draw.line((base, 0.6 * h, tip, (0.12 + 0.05 * abs(k - 2)) * h), fill=skin, width=max(14, w // 17))
    return image.filter(ImageFilter.GaussianBlur(2))


def _plate(size: tuple[int, int], random: Generator) -> Image.Image:
    """Soup in a plate on a dark table, seen from above."""
    x, y = grid(size)
    r = np.hypot(x * size[0] / size[1], y)
    soup = np.array((200, 95, 35)) + 20 * clouds(size, 18, random)[..., None]
    plate = np.where((r < 0.62)[..., None], soup, (235, 232, 225))
    image = picture(
        np.where((r < 0.92)[..., None], plate, (45, 32, 25)) + random.normal(0, 2, (size[1], size[0], 3))
    )
    draw = ImageDraw.Draw(image)
    for a in random.uniform(0, 6.28, 14):
        cx, cy = size[0] / 2 + np.cos(a) * size[1] * 0.2, size[1] / 2 + np.sin(a) * size[1] * 0.2
        draw.ellipse((cx - 6, cy - 4, cx + 6, cy + 4), fill=(70, 120, 40))
    return image


def _label(size: tuple[int, int], random: Generator) -> Image.Image:
    """A specimen's label with a bar code."""
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    x = 30
    while x < size[0] - 40:
        width = int(random.integers(1, 6))
        draw.rectangle((x, 40, x + width, size[1] - 90), fill="black")
        x += width + int(random.integers(2, 7))
    draw.rectangle((30, size[1] - 70, 200, size[1] - 60), fill="black")
    return image


def _wood(size: tuple[int, int], random: Generator) -> Image.Image:
    """A table top: brown, with a grain."""
    x, y = grid(size)
    grain = np.sin(40 * y + 6 * clouds(size, 4, random)) * 12 + 6 * clouds(size, 50, random) + 8 * x
    return picture(np.array((165, 105, 60)) + grain[..., None])


def _topography(size: tuple[int, int], random: Generator) -> Image.Image:
    """A map of the cornea: a disc in the colours of the rainbow, on black."""
    x, y = grid(size)
    x = x * size[0] / size[1]
    height = np.clip(
        0.5 + 0.3 * clouds(size, 4, random) + 0.3 * np.cos(2 * np.arctan2(y, x)) * np.hypot(x, y), 0, 1
    )
    rainbow = [np.clip(1.5 - np.abs(4 * height - centre), 0, 1) * 255 for centre in (3, 2, 1)]
    return picture(np.where((np.hypot(x, y) < 0.85)[..., None], np.stack(rainbow, axis=2), 0))


SORTS: dict[str, Draw] = {
    "skin lesion": _skin_lesion,
    "eardrum": _eardrum,
    "histology": _histology,
    "hand": _hand,
    "plate": _plate,
    "label": _label,
    "wood": _wood,
    "topography": _topography,
}
