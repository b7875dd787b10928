"""The three centres' cameras: what each does to a retina, and what a photograph owes to chance alone.

Exposure, white balance, focus, noise, JPEG quality and the size of the file are drawn without looking at the
eye, and the mean colour is set after the lesions are drawn: none of them can give a grade away.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from simulations.synthesis.labels import Generator

Plane = NDArray[np.float32]  # (height, width)
Bytes = NDArray[np.uint8]  # (height, width, 3)
FULL = np.float32(255)
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
        "Canon CR", 384, 296, 1.12, (0.71, 0.36, 0.135), 0.11, 0.07, (0.12, 0.55), (0.45, 0.8),
        (0.006, 0.018), (84, 95), (52_000, 60_000), 40.0,
    ),
    "ipiranga": Camera(
        "NIKON NF5050", 416, 328, 1.05, (0.76, 0.38, 0.125), 0.12, 0.08, (0.25, 0.68), (0.7, 1.15),
        (0.010, 0.024), (78, 92), (60_000, 70_000), None,
    ),
    "moema": Camera(
        "Canon CR", 360, 284, 0.985, (0.62, 0.33, 0.15), 0.12, 0.08, (0.05, 0.45), (0.5, 1.0), (0.008, 0.022),
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


@cache
def _grid(width: int, height: int, field: float) -> tuple[Plane, Plane, Plane]:
    """x, y and the squared distance from the centre, in radii of the round field."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    radius = np.float32(field * height / 2)
    x, y = (x - np.float32((width - 1) / 2)) / radius, (y - np.float32((height - 1) / 2)) / radius
    return x, y, x * x + y * y


@cache
def _mask(camera: Camera) -> Plane:
    x, y, distance = _grid(camera.width, camera.height, camera.field)
    edge = camera.field * camera.height / 4  # a rim two pixels wide
    mask = np.clip((1 - np.sqrt(distance)) * np.float32(edge) + np.float32(0.5), 0, 1)
    if camera.notch is not None:
        angle = np.deg2rad(camera.notch)
        away = np.hypot(x - np.float32(np.cos(angle)), y + np.float32(np.sin(angle)))
        mask = np.where(away < 0.022, np.float32(0), mask)
    return np.asarray(mask, np.float32)


def draw_field(camera: Camera, dark: bool, rng: Generator) -> Field:
    """Vignetting, an off-centre reflex and a tilt of the light, within the camera's round field."""
    x, y, distance = _grid(camera.width, camera.height, camera.field)
    left, up = rng.normal(0, 0.25), rng.normal(0, 0.25)
    across, down = rng.normal(0, 0.12), rng.normal(0, 0.12)
    reflex, fall = rng.uniform(0, 0.45), rng.uniform(*camera.vignette)
    # The reflex is a Gaussian about (left, up); it is smooth, so every fourth pixel of it is enough.
    coarse = np.exp(((x[::4, ::4] - left) ** 2 + (y[::4, ::4] - up) ** 2) / -0.45) * reflex
    size = (camera.width, camera.height)
    bright = np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BILINEAR), np.float32)
    light = (1 - fall * distance) * (1 + bright) * (1 + across * x + down * y)
    if dark:
        light *= np.clip(1 + rng.choice([-1.1, 1.1]) * x, 0.12, 1).astype(np.float32)
    return Field(np.maximum(light, np.float32(0.05)), _mask(camera))


def expose(
    planes: list[Plane], field: Field, camera: Camera, bad: frozenset[str], rng: Generator
) -> Image.Image:
    """The sensor's picture. planes: reflectance of the retina, red green blue, each (height, width).

    Each channel's mean over the field is set to a value drawn for this photograph, after the lesions.
    """
    area = float(field.mask.sum())
    lit_field = field.light * field.mask
    distance = _grid(camera.width, camera.height, camera.field)[2]
    shared = rng.normal(0, camera.exposure) - (0.6 if "illumination" in bad else 0.0)
    pixels = np.empty((camera.height, camera.width, 3), np.uint8)
    for k, plane in enumerate(planes):
        target = min(camera.colour[k] * math.exp(shared + rng.normal(0, camera.white_balance)), 0.86) * 255
        # The lamp's colour is not quite even either: each channel falls off towards the edge in its own way.
        channel = plane * lit_field * (1 + np.float32(rng.normal(0, 0.15)) * distance)
        channel = np.minimum(channel * np.float32(target * area / float(channel.sum())), FULL)
        channel *= np.float32(target * area / float(channel.sum()))  # gives back what clipping took
        pixels[..., k] = np.minimum(channel, FULL)
    blurred = _focus(Image.fromarray(pixels), camera, "focus" in bad, rng)
    return Image.fromarray(_sense(np.asarray(blurred), field, rng.uniform(*camera.noise) * 255, rng))


def _focus(picture: Image.Image, camera: Camera, bad: bool, rng: Generator) -> Image.Image:
    """One pass of a box whose standard deviation is the blur's; a truly Gaussian one where focus is bad."""
    sigma = rng.uniform(*camera.blur)
    if bad:
        return picture.filter(ImageFilter.GaussianBlur(sigma + rng.uniform(1.6, 2.6)))
    return picture.filter(ImageFilter.BoxBlur((math.sqrt(12 * sigma * sigma + 1) - 1) / 2))


def _sense(pixels: Bytes, field: Field, grain: float, rng: Generator) -> Bytes:
    """Sensor noise, weaker outside the field, over a level of stray light.

    The sum of two uniform bytes stands in for a normal draw: its standard deviation is 104.5.
    """
    shape = pixels.shape
    draws = np.frombuffer(rng.bytes(2 * pixels.size), np.uint8).reshape(2, *shape)
    noise = draws[0].astype(np.float32)
    noise += draws[1]
    noise -= FULL
    strength = (np.float32(0.25) + np.float32(0.75) * field.mask) * np.float32(grain / 104.5)
    noise *= strength[..., None]
    noise += pixels
    noise += np.float32(rng.uniform(1.0, 5.0))
    return np.asarray(np.clip(noise, 0, 255), np.uint8)


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
