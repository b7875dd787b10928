"""Small drawn photographs for the tests of `check`: retinas, and files that hold them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter


def retina(seed: int, size: tuple[int, int] = (256, 214)) -> Image.Image:
    """A lit field with an optic disc, a macula, vessels and shading; another seed is another eye."""
    random = np.random.default_rng(seed)
    width, height = size
    image = Image.new("RGB", size, (190, 95, 40))
    draw = ImageDraw.Draw(image)
    x, y = width * random.uniform(0.2, 0.8), height * random.uniform(0.4, 0.6)
    for _ in range(14):
        points, angle = [(x, y)], random.uniform(0, 2 * np.pi)
        for _ in range(12):
            angle += random.normal(0, 0.35)
            last = points[-1]
            points.append((last[0] + 12 * np.cos(angle), last[1] + 12 * np.sin(angle)))
        draw.line(points, fill=(120, 40, 20), width=int(random.integers(2, 5)))
    draw.ellipse((x - 14, y - 14, x + 14, y + 14), fill=(245, 200, 120))
    cx, cy = width * random.uniform(0.4, 0.6), height * random.uniform(0.4, 0.6)
    draw.ellipse((cx - 12, cy - 12, cx + 12, cy + 12), fill=(140, 60, 25))
    pixels = np.asarray(image.filter(ImageFilter.GaussianBlur(1.2)), np.float32)
    down, across = np.mgrid[:height, :width].astype(np.float32)
    u, v = (across - width / 2) / (width / 2), (down - height / 2) / (width / 2)
    light = 1 + random.uniform(-0.2, 0.2) * u + random.uniform(-0.2, 0.2) * v - 0.25 * (u * u + v * v)
    pixels = pixels * light[..., None] + random.normal(0, 3, pixels.shape)
    pixels[u * u + v * v > 0.98] = 3
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    """The file of an image."""
    buffer = io.BytesIO()
    if kind == "JPEG":
        options.setdefault("quality", 90)
    image.save(buffer, kind, **options)
    return buffer.getvalue()
