"""Plants photographs that show too little: blank ones, ones far too dark, and ones merely dim that must be left alone.

Under-exposure is made as a camera makes it: less light on the sensor, the same read-out noise, eight bits after
that. A factor on the finished picture would keep detail that no real dark photograph has.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from simulations.dirt.site import Generator, Site

Pixels = NDArray[np.float64]  # (H, W, 3), 0 to 255
BLANK = (
    "black",
    "white",
    "one colour",
    "black with noise",
    "grey with noise",
    "burnt out",
    "lens cap",
    "shading",
)
DARK = ("black", "black with noise", "lens cap")  # blank, but too dark is a fair word for them too


def plant_exposure_dirt(site: Site, blank: int, dark: int, dim: int) -> None:
    """Plant so many blank, far too dark, and dim but usable photographs."""
    for k, row in enumerate(site.take_rows(blank)):
        sort = BLANK[k % len(BLANK)]
        with Image.open(site.path(row)) as opened:
            width, height = opened.size
        size = (width + k % 7, height + k // 7 % 7)  # so that no two black ones are the same file
        save(site, row["image_id"], _blank(sort, size, site.random), quality=75 + k % 20)
        # Two of the same emptiness are copies of each other, if anybody wants to call them so.
        also = ("near_duplicate", "too_dark" if sort in DARK else "not_a_fundus")
        site.truth.add("blank", sort, row["image_id"], also=also)
    for row in site.take_rows(dark):
        stops = float(site.random.uniform(4, 6))
        save(site, row["image_id"], _under_exposed(site, row["image_id"], stops))
        site.truth.add(
            "too_dark", f"{stops:.1f} stops", row["image_id"], also=("blank",) if stops > 5.3 else ()
        )
    for row in site.take_rows(dim, lambda row: row.get("Illuminaton") != "2"):
        stops = float(site.random.uniform(0.7, 1.5))
        save(site, row["image_id"], _under_exposed(site, row["image_id"], stops))
        site.truth.add("dim_but_usable", f"{stops:.1f} stops", row["image_id"])


def save(site: Site, record: str, pixels: Pixels | Image.Image, quality: int = 90) -> None:
    """Put a picture in place of a record's photograph."""
    if not isinstance(pixels, Image.Image):
        pixels = Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))
    pixels.save(site.photographs / f"{record}.jpg", quality=quality)


def _blank(sort: str, size: tuple[int, int], random: Generator) -> Pixels:
    shape = (size[1], size[0], 3)
    noise = random.normal(0, 1, shape)
    x = np.linspace(-1, 1, size[0])[None, :, None]
    y = np.linspace(-1, 1, size[1])[:, None, None]
    colour = random.uniform(40, 220, 3)
    grain = random.uniform(1, 4)
    drawn: dict[str, Pixels] = {
        "black": np.zeros(shape),
        "white": np.full(shape, 255.0),
        "one colour": np.zeros(shape) + colour,
        "black with noise": np.abs(noise) * grain,
        "grey with noise": 128 + random.uniform(-40, 40) + noise * grain,
        "burnt out": 252 + noise * 3,  # the flash fired into a white field: clipped, with sensor noise
        "lens cap": 6 + 5 * x + noise * 1.5,  # a little light at one edge
        "shading": colour * (1 - 0.1 * (x * random.uniform(-1, 1) + y)) + noise,  # a wall, evenly lit
    }
    return drawn[sort]


def _under_exposed(site: Site, record: str, stops: float) -> Pixels:
    with Image.open(site.photographs / f"{record}.jpg") as opened:
        shown = np.asarray(opened.convert("RGB"), np.float64) / 255
    light = np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4) * 2.0**-stops
    electrons = site.random.poisson(light * 8000) + site.random.normal(0, 10, light.shape)
    light = np.clip(electrons / 8000, 0, 1)
    shades = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(255 * shades, np.float64)
