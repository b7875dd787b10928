"""The three centres' cameras: what each does to a retina, and what a photograph owes to chance alone.

Exposure, white balance, focus, noise, JPEG quality and the size of the file are drawn without looking at the
eye, and the mean colour is set after the lesions are drawn: none of them can give a grade away.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from simulations.synthesis.labels import Generator

Plane = NDArray[np.float32]  # (height, width)
COMMENT_LIMIT = 65_533  # bytes of payload in one JPEG comment segment


@dataclass(frozen=True)
class Camera:
    """One centre's camera. Fractions are of full scale, lengths in pixels unless said otherwise."""

    model: str  # as BRSET spells it
    width: int
    height: int
    field: float  # diameter of the round field over the height; above 1 it is cut at top and bottom
    colour: tuple[float, float, float]  # mean of the field, red green blue
    exposure: float  # spread of the logarithm of the mean, all channels together
    white_balance: float  # the same, each channel by itself
    vignette: tuple[float, float]  # fall-off at the edge of the field, range
    blur: tuple[float, float]  # standard deviation of the focus blur, range
    noise: tuple[float, float]
    quality: tuple[int, int]  # of the JPEG, range
    file_size: tuple[int, int]  # bytes, range
    notch: float | None  # where the field's edge carries its orientation mark, degrees


CAMERAS = {
    "paulista": Camera(
        "Canon CR", 384, 296, 1.12, (0.71, 0.36, 0.135), 0.11, 0.07, (0.25, 0.45), (0.45, 0.8), (0.006, 0.018),
        (84, 95), (52_000, 60_000), 40.0,
    ),
    "ipiranga": Camera(
        "NIKON NF5050", 416, 328, 1.18, (0.76, 0.38, 0.125), 0.12, 0.08, (0.40, 0.60), (0.7, 1.15), (0.010, 0.024),
        (78, 92), (60_000, 70_000), None,
    ),
    "moema": Camera(
        "Canon CR", 360, 284, 0.985, (0.62, 0.33, 0.15), 0.12, 0.08, (0.15, 0.35), (0.5, 1.0), (0.008, 0.022),
        (70, 90), (46_000, 54_000), 40.0,
    ),
}  # fmt: skip


def scaled(camera: Camera, percent: int) -> Camera:
    """The same camera with photographs of `percent` of its size."""
    if percent == 100:
        return camera
    k = percent / 100
    return replace(
        camera,
        width=round(camera.width * k),
        height=round(camera.height * k),
        blur=(camera.blur[0] * k, camera.blur[1] * k),
        file_size=(round(camera.file_size[0] * k * k) + 4000, round(camera.file_size[1] * k * k) + 4000),
    )


@dataclass(frozen=True)
class Field:
    """The round field of one photograph: light falling on each pixel, and what the eye fills."""

    light: Plane
    mask: Plane  # 1 inside, 0 outside


def draw_field(camera: Camera, dark: bool, rng: Generator) -> Field:
    """Vignetting, an off-centre reflex and a tilt of the light, within the camera's round field."""
    y, x = np.mgrid[0 : camera.height, 0 : camera.width].astype(np.float32)
    radius = camera.field * camera.height / 2
    x = (x - (camera.width - 1) / 2 - rng.normal(0, 1.0)) / np.float32(radius)
    y = (y - (camera.height - 1) / 2 - rng.normal(0, 1.0)) / np.float32(radius)
    distance = x * x + y * y
    mask = np.clip((1 - np.sqrt(distance)) * (radius / 2.0) + 0.5, 0, 1)
    if camera.notch is not None:
        angle = np.deg2rad(camera.notch)
        mask = np.where(np.hypot(x - np.cos(angle), y + np.sin(angle)) < 0.022, 0, mask)
    spot = rng.normal(0, 0.25, 2)
    reflex = np.exp(-((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / 0.45)
    tilt = rng.normal(0, 0.12, 2)
    light = (1 - rng.uniform(*camera.vignette) * distance) * (1 + rng.uniform(0, 0.3) * reflex)
    light *= 1 + tilt[0] * x + tilt[1] * y
    if dark:
        light *= np.clip(1 + rng.choice([-1, 1]) * 1.1 * x, 0.12, 1)
    return Field(np.clip(light, 0.05, None).astype(np.float32), mask.astype(np.float32))


def expose(
    planes: list[Plane], field: Field, camera: Camera, bad: frozenset[str], rng: Generator
) -> Image.Image:
    """The sensor's picture. planes: reflectance of the retina, red green blue, each (height, width).

    Each channel's mean over the field is set to a value drawn for this photograph.
    """
    area = float(field.mask.sum())
    shared = rng.normal(0, camera.exposure) - (0.6 if "illumination" in bad else 0.0)
    pixels = np.empty((camera.height, camera.width, 3), np.float32)
    for k, plane in enumerate(planes):
        lit = np.minimum(plane * field.light, 6.0) * field.mask
        target = camera.colour[k] * np.exp(shared + rng.normal(0, camera.white_balance))
        gain = min(float(target), 0.86) * area / float(lit.sum())
        channel = np.minimum(lit * gain, 1.0)
        lost = area * min(float(target), 0.86) / float(channel.sum())  # what clipping took from the mean
        np.minimum(channel * lost, 1.0, out=pixels[..., k])
    picture = Image.fromarray((pixels * 255 + 0.5).astype(np.uint8))
    sigma = rng.uniform(*camera.blur) + (rng.uniform(1.6, 2.6) if "focus" in bad else 0.0)
    soft = np.asarray(picture.filter(ImageFilter.GaussianBlur(sigma)), np.float32)
    grain = rng.uniform(*camera.noise) * 255
    shape = (camera.height, camera.width)
    noise = grain * (0.8 * rng.standard_normal(shape, np.float32)[..., None])
    noise = noise + grain * 0.6 * rng.standard_normal((*shape, 3), np.float32)
    level = rng.uniform(1.0, 5.0)  # stray light outside the field
    soft = soft + noise * (0.25 + 0.75 * field.mask[..., None]) + level
    return Image.fromarray(np.clip(soft, 0, 255).astype(np.uint8))


def encode(picture: Image.Image, camera: Camera, rng: Generator) -> bytes:
    """The photograph as a JPEG file of a size drawn beforehand.

    Camera files carry a maker's block of their own beside the picture; here it takes up whatever the picture
    leaves, since otherwise the length of the file would count the lesions.
    """
    quality = int(rng.integers(camera.quality[0], camera.quality[1] + 1))
    size = int(rng.integers(*camera.file_size))
    while True:
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=quality, subsampling=0)
        data = buffer.getvalue()
        if len(data) + 8 <= size:
            return pad(data, size)
        quality -= 4  # rare: the noisiest pictures of the largest quality


def pad(jpeg: bytes, size: int) -> bytes:
    """The same JPEG brought to `size` bytes by comment segments after its first marker."""
    segments = b""
    left = size - len(jpeg)
    while left:
        payload = min(left - 4, COMMENT_LIMIT)
        if 0 < left - 4 - payload < 4:  # no room for another header: leave enough for one
            payload -= 4
        segments += b"\xff\xfe" + (payload + 2).to_bytes(2, "big") + bytes(payload)
        left -= payload + 4
    return jpeg[:2] + segments + jpeg[2:]
