"""Draws what lies among fundus photographs in a clinic's folder and is none: pages, screens, scans, faces, views.

Nothing here is copied from anywhere; each sort is drawn anew every time, in the sizes cameras and screens have.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from simulations.dirt.exposure import save
from simulations.dirt.site import Generator, Site

Pixels = NDArray[np.float64]
Draw = Callable[[tuple[int, int], Generator], Image.Image]
SIZES = ((384, 296), (416, 328), (400, 400), (300, 420), (480, 270), (256, 256))


def plant_other_pictures(site: Site, count: int) -> None:
    """Put `count` pictures of other things in place of photographs, every sort in turn."""
    sorts = list(SORTS.items())
    for k, row in enumerate(site.take_rows(count)):
        sort, draw = sorts[k % len(sorts)]
        size = SIZES[int(site.random.integers(len(SIZES)))]
        save(site, row["image_id"], draw(size, site.random), quality=int(site.random.integers(75, 95)))
        site.truth.add("not_a_fundus", sort, row["image_id"])


def picture(pixels: Pixels) -> Image.Image:
    """Levels of 0 to 255, (H, W, 3), as a picture."""
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


def clouds(size: tuple[int, int], cells: int, random: Generator) -> Pixels:
    """Smooth noise of unit spread, (H, W)."""
    coarse = Image.fromarray(random.standard_normal((cells + 2, cells + 2)).astype(np.float32))
    return np.asarray(coarse.resize(size, Image.Resampling.BICUBIC), np.float64)


def grid(size: tuple[int, int]) -> tuple[Pixels, Pixels]:
    """x and y, from -1 to 1."""
    return np.linspace(-1, 1, size[0])[None, :], np.linspace(-1, 1, size[1])[:, None]


def _page(size: tuple[int, int], random: Generator) -> Image.Image:
    """A printed form: heading, lines of words, perhaps a table, on paper that is not quite white."""
    paper = int(random.integers(225, 256))
    image = Image.new("RGB", size, (paper, paper, paper - int(random.integers(0, 14))))
    draw = ImageDraw.Draw(image)
    margin, y = int(size[0] * 0.08), int(size[1] * 0.08)
    draw.rectangle((margin, y, int(size[0] * random.uniform(0.4, 0.8)), y + 9), fill=(40, 40, 60))
    y += 22
    while y < size[1] * 0.92:
        x = margin
        while x < size[0] * random.uniform(0.6, 0.9):
            width = int(random.integers(6, 34))
            draw.rectangle((x, y, x + width, y + 3), fill=(int(random.integers(20, 90)),) * 3)
            x += width + 5
        y += int(random.integers(8, 13))
    if random.random() < 0.5:
        draw.rectangle((margin, size[1] // 2, size[0] - margin, size[1] // 2 + 40), outline=(60, 60, 60))
    return image.rotate(float(random.uniform(-3, 3)), fillcolor=(200, 198, 190))


def _screen(size: tuple[int, int], random: Generator) -> Image.Image:
    """A program's window: bars, buttons, a list, panels."""
    dark = random.random() < 0.4
    back, front = ((38, 40, 46), (200, 204, 210)) if dark else ((240, 242, 245), (60, 64, 70))
    image = Image.new("RGB", size, back)
    draw = ImageDraw.Draw(image)
    colour = tuple(int(c) for c in random.integers(20, 200, 3))
    draw.rectangle((0, 0, size[0], 22), fill=colour)
    draw.rectangle((0, 22, int(size[0] * 0.22), size[1]), fill=tuple(max(0, c - 18) for c in back))
    for y in range(34, size[1] - 12, 14):
        draw.rectangle((8, y, 8 + int(random.integers(20, 60)), y + 4), fill=front)
        for x in range(int(size[0] * 0.26), size[0] - 40, 70):
            draw.rectangle((x, y, x + int(random.integers(15, 55)), y + 4), fill=front)
    for _ in range(3):
        x, y = int(random.integers(100, size[0] - 60)), int(random.integers(30, size[1] - 30))
        draw.rounded_rectangle(
            (x, y, x + 50, y + 18), 4, fill=tuple(int(c) for c in random.integers(60, 220, 3))
        )
    return image


def _scan(size: tuple[int, int], random: Generator) -> Image.Image:
    """A section of the retina as optical coherence tomography shows it: grey, layered, speckled."""
    x, y = grid(size)
    top = (
        -0.25
        + 0.12 * x**2 * random.uniform(-1, 1)
        + 0.22 * np.exp(-(((x - random.normal(0, 0.1)) / 0.2) ** 2))
    )
    depth = (y - top) / 0.6
    bands = 0.5 + 0.35 * np.sin(depth * random.uniform(14, 22)) + 0.3 * np.exp(-(((depth - 0.9) / 0.08) ** 2))
    inside = (depth > 0) & (depth < 1.1)
    signal = np.where(inside, bands, 0.06 + 0.1 * np.exp(-np.abs(depth - 1.1)) * (depth > 1))
    speckle = random.gamma(3, 1 / 3, (size[1], size[0]))
    grey = 225 * signal * speckle
    return picture(np.repeat(grey[..., None], 3, axis=2))


def _face(size: tuple[int, int], random: Generator) -> Image.Image:
    """A head with hair, eyes, nose and mouth before a wall; the skin is any person's."""
    wall = tuple(int(c) for c in random.integers(90, 230, 3))
    image = Image.new("RGB", size, wall)
    draw = ImageDraw.Draw(image)
    skin = np.array([[236, 188, 160], [198, 134, 100], [141, 85, 54], [90, 56, 37]][int(random.integers(4))])
    w, h = size
    cx, cy, rx, ry = w * random.uniform(0.42, 0.58), h * 0.52, h * 0.3, h * 0.38
    hair = tuple(int(c) for c in random.integers(15, 90, 3))
    draw.ellipse((cx - rx * 1.2, cy - ry * 1.25, cx + rx * 1.2, cy + ry * 0.7), fill=hair)
    draw.rectangle((cx - rx * 0.4, cy + ry * 0.7, cx + rx * 0.4, h), fill=tuple(int(c * 0.85) for c in skin))
    draw.ellipse((cx - rx, cy - ry, cx + rx, cy + ry), fill=tuple(int(c) for c in skin))
    for side in (-1, 1):
        ex, ey = cx + side * rx * 0.42, cy - ry * 0.12
        draw.ellipse((ex - rx * 0.2, ey - ry * 0.08, ex + rx * 0.2, ey + ry * 0.08), fill=(245, 245, 245))
        draw.ellipse((ex - rx * 0.08, ey - ry * 0.08, ex + rx * 0.08, ey + ry * 0.08), fill=(50, 35, 25))
        draw.arc((ex - rx * 0.28, ey - ry * 0.3, ex + rx * 0.28, ey), 200, 340, fill=hair, width=3)
    draw.line(
        (cx, cy - ry * 0.05, cx - rx * 0.1, cy + ry * 0.25), fill=tuple(int(c * 0.7) for c in skin), width=2
    )
    draw.arc(
        (cx - rx * 0.4, cy + ry * 0.25, cx + rx * 0.4, cy + ry * 0.6), 15, 165, fill=(150, 50, 50), width=4
    )
    soft = np.asarray(image.filter(ImageFilter.GaussianBlur(1.5)), np.float64)
    x, y = grid(size)
    return picture(
        soft * (1 + 0.15 * x * random.uniform(-1, 1) - 0.1 * y)[..., None] + random.normal(0, 3, soft.shape)
    )


def _landscape(size: tuple[int, int], random: Generator) -> Image.Image:
    """Sky over hills, at noon or, redder, at sunset with a low sun."""
    x, y = grid(size)
    sunset = random.random() < 0.5
    high, low = ((70, 60, 120), (250, 150, 60)) if sunset else ((70, 130, 215), (200, 225, 245))
    share = ((y + 1) / 2)[..., None]
    sky = np.array(high) * (1 - share) + np.array(low) * share + np.zeros((size[1], size[0], 1))
    sky = sky + 14 * clouds(size, 9, random)[..., None]
    sun = ((x - random.uniform(-0.6, 0.6)) ** 2 + (y - random.uniform(-0.4, 0)) ** 2)[..., None]
    sky = sky + 120 * np.exp(-sun / 0.03)
    ridge = 0.15 + 0.12 * np.sin(x * random.uniform(3, 7) + random.uniform(0, 6)) + 0.05 * np.sin(19 * x)
    ground = np.array((46, 36, 30) if sunset else (70, 120, 50)) + 18 * clouds(size, 40, random)[..., None]
    return picture(np.where((y > ridge)[..., None], ground, sky) + random.normal(0, 3, sky.shape))


def _noise(size: tuple[int, int], random: Generator) -> Image.Image:
    """A broken sensor or a broken file: every pixel anything."""
    grey = random.random() < 0.4
    pixels = random.uniform(0, 255, (size[1], size[0], 1 if grey else 3))
    return picture(np.repeat(pixels, 3, axis=2) if grey else pixels)


def _chest(size: tuple[int, int], random: Generator) -> Image.Image:
    """A chest radiograph: two dark lungs, ribs, spine, heart."""
    x, y = grid(size)
    body = 150 * np.exp(-((x / 0.95) ** 6) - (y / 1.4) ** 6)
    for side in (-1, 1):
        body = body - 100 * np.exp(-(((x - side * 0.42) / 0.27) ** 4) - ((y + 0.05) / 0.62) ** 4)
    ribs = 16 * np.sin((y + 0.25 * np.abs(x)) * random.uniform(20, 26)) * (np.abs(x) > 0.12)
    heart = 70 * np.exp(-(((x - 0.15) / 0.25) ** 2) - ((y - 0.35) / 0.3) ** 2)
    grey = body + ribs + 55 * np.exp(-((x / 0.08) ** 2)) + heart + random.normal(0, 4, (size[1], size[0]))
    return picture(np.repeat(grey[..., None], 3, axis=2))


def _front_of_the_eye(size: tuple[int, int], random: Generator) -> Image.Image:
    """A slit-lamp picture: lids, white sclera, iris with its fibres, pupil, the slit's reflection."""
    x, y = grid(size)
    x = x * size[0] / size[1]
    r, angle = np.hypot(x, y), np.arctan2(y, x)
    skin = np.array((205, 150, 125)) * random.uniform(0.6, 1.05)
    pixels = np.zeros((size[1], size[0], 3)) + skin + 8 * clouds(size, 14, random)[..., None]
    opening = (np.abs(y) < 0.62 * np.cos(np.clip(x / 1.3, -1, 1) * np.pi / 2) + 0.02)[..., None]
    sclera = np.array((225, 212, 205)) - 25 * (np.abs(np.sin(7 * angle + 3 * r)) > 0.985)[..., None]
    pixels = np.where(opening, sclera, pixels)
    colour = np.array([[70, 110, 140], [110, 75, 40], [75, 95, 60]][int(random.integers(3))])
    fibres = 1 + 0.25 * np.sin(angle * 60 + 4 * r)[..., None]
    pixels = np.where(opening & (r < 0.48)[..., None], colour * fibres, pixels)
    pixels = np.where(opening & (r < 0.2)[..., None], 12.0, pixels)
    slit = np.exp(-(((x - 0.15 - 0.1 * y**2) / 0.03) ** 2))[..., None] * 150 * opening
    return picture(pixels + slit + random.normal(0, 3, pixels.shape)).filter(ImageFilter.GaussianBlur(0.8))


def _printed(size: tuple[int, int], random: Generator) -> Image.Image:
    """A diagram: axes and curves, or bars, as a device prints its measurements."""
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    left, bottom, right, top = 30, size[1] - 25, size[0] - 15, 15
    draw.line((left, top, left, bottom, right, bottom), fill="black", width=2)
    for _ in range(int(random.integers(2, 5))):
        colour = tuple(int(c) for c in random.integers(0, 200, 3))
        heights = np.cumsum(random.normal(0, 12, 20)) + random.uniform(top, bottom)
        points = [
            (left + k * (right - left) / 19, float(np.clip(h, top, bottom))) for k, h in enumerate(heights)
        ]
        draw.line(points, fill=colour, width=2)
    return image


def _ultrasound(size: tuple[int, int], random: Generator) -> Image.Image:
    """A B-scan of the eye: a fan of speckle on black, the vitreous dark in it."""
    x, y = grid(size)
    r, angle = np.hypot(x, y + 1), np.arctan2(x, y + 1)
    fan = (np.abs(angle) < 0.7) & (r < 1.9) & (r > 0.15)
    tissue = 0.65 - 0.55 * np.exp(-((np.hypot(x / 0.55, (y + 0.05) / 0.55)) ** 8))
    grey = np.where(fan, 210 * tissue * random.gamma(2, 0.5, (size[1], size[0])), 4)
    return picture(np.repeat(grey[..., None], 3, axis=2)).filter(ImageFilter.GaussianBlur(0.9))


def _ball(size: tuple[int, int], random: Generator) -> Image.Image:
    """An orange on black cloth, lit from one side: the colours and the outline of a fundus, and nothing inside."""
    x, y = grid(size)
    x = x * size[0] / size[1]
    radius = random.uniform(0.6, 0.9)
    r2 = (x**2 + y**2) / radius**2
    height = np.sqrt(np.clip(1 - r2, 0, None))
    light = np.clip(0.6 * height - random.choice((-1, 1)) * 0.6 * x / radius - 0.4 * y / radius, 0.05, None)
    pits = 1 + 0.06 * clouds(size, 60, random)
    shine = 160 * np.exp(-((x - 0.3 * radius) ** 2 + (y + 0.35 * radius) ** 2) / 0.008)
    pixels = (light * pits)[..., None] * np.array((235, 125, 25)) + shine[..., None]
    return picture(np.where((r2 < 1)[..., None], pixels, 6) + random.normal(0, 2, (size[1], size[0], 3)))


def _skin(size: tuple[int, int], random: Generator) -> Image.Image:
    """Skin close by, a finger before the lens: reddish, soft, without vessels or field."""
    x, y = grid(size)
    tone = np.array((214, 140, 112)) * random.uniform(0.5, 1.05)
    wrinkles = np.sin(y * 30 + 3 * clouds(size, 5, random)) * 6 + 5 * clouds(size, 25, random)
    shade = 1 + 0.25 * x * random.uniform(-1, 1) - 0.2 * y * random.uniform(-1, 1)
    return picture(
        (tone * shade[..., None]) + wrinkles[..., None] + random.normal(0, 3, (size[1], size[0], 3))
    )


SORTS: dict[str, Draw] = {
    "page": _page,
    "screen": _screen,
    "tomography": _scan,
    "face": _face,
    "landscape": _landscape,
    "noise": _noise,
    "chest x-ray": _chest,
    "front of the eye": _front_of_the_eye,
    "diagram": _printed,
    "ultrasound": _ultrasound,
    "ball": _ball,
    "skin": _skin,
}
