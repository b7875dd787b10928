from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from client.check.features import LEAST, features
from client.check.measurement import Measurement
from client.check.quality import judge
from client.data.pipeline import decode
from tests.client.check.drawn import encoded, retina


def measured(image: Image.Image) -> Measurement:
    decoded = decode(encoded(image), LEAST // 2)
    return Measurement(**vars(features(decoded.picture)))


def kind(image: Image.Image) -> str:
    judgement = judge(measured(image))
    return judgement.kind if judgement else ""


def picture(pixels: np.ndarray) -> Image.Image:  # type: ignore[type-arg]
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("size", [(256, 214), (512, 428), (214, 214), (130, 110)])
def test_a_retina_is_not_suspected(seed: int, size: tuple[int, int]) -> None:
    assert kind(retina(seed).resize(size)) == ""


@pytest.mark.parametrize("seed", range(6))
def test_nor_is_one_that_is_dim_wide_bordered_or_turned(seed: int) -> None:
    image = retina(seed)
    assert kind(image.point(lambda level: round(level * 0.7))) == ""
    bordered = Image.new("RGB", (420, 260))
    bordered.paste(image, (80, 20))
    assert kind(bordered) == ""
    assert kind(image.rotate(90, expand=True)) == ""


@pytest.mark.parametrize("noise", [0, 1, 4])
@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (128, 128, 128), (200, 90, 40)])
def test_one_colour_is_blank_with_noise_or_without(colour: tuple[int, int, int], noise: float) -> None:
    random = np.random.default_rng(0)
    image = picture(np.array(colour) + random.normal(0, 1, (214, 256, 3)) * noise)
    assert kind(image) == "blank"


def test_an_evenly_lit_wall_is_blank() -> None:
    shade = np.linspace(0.9, 1.1, 256)[None, :, None] * np.linspace(0.95, 1.05, 214)[:, None, None]
    assert kind(picture(np.array((180, 110, 70)) * shade)) == "blank"


@pytest.mark.parametrize("seed", range(6))
def test_under_exposure_by_four_stops_is_dark_and_not_called_anything_else(seed: int) -> None:
    light = (np.asarray(retina(seed)) / 255) ** 2.2 * 2.0**-4
    random = np.random.default_rng(seed)
    assert kind(picture(255 * light ** (1 / 2.2) + random.normal(0, 2, light.shape))) == "dark"


def test_a_dark_screen_is_not_an_under_exposed_retina() -> None:
    image = Image.new("RGB", (320, 240), (28, 30, 34))
    for y in range(12, 230, 14):
        ImageDraw.Draw(image).rectangle((10, y, 240, y + 5), fill=(220, 220, 220))
    assert kind(image) == "not_fundus"


def strangers() -> dict[str, Image.Image]:
    random = np.random.default_rng(1)
    shape = (214, 256)
    down, across = np.mgrid[:214, :256] / 214.0
    page = Image.new("RGB", (256, 214), "white")
    for y in range(10, 200, 9):
        ImageDraw.Draw(page).rectangle((15, y, 40 + y, y + 3), fill="black")
    disc = Image.new("RGB", (256, 214))
    ImageDraw.Draw(disc).ellipse((28, 7, 228, 207), fill=(230, 120, 30))
    height = np.sqrt(np.clip(1 - ((across - 0.6) ** 2 + (down - 0.5) ** 2) / 0.2, 0, None))
    ball = (height * np.clip(across - 0.2, 0.02, None))[..., None] * np.array((235, 125, 25))
    skin = np.array((214, 140, 112)) * (1 + 0.1 * across[..., None]) + random.normal(0, 4, (*shape, 3))
    sky = np.where((down > 0.6 + 0.1 * np.sin(9 * across))[..., None], (60, 90, 40), (120, 170, 230))
    scan = 200 * np.exp(-(((down - 0.5) / 0.05) ** 2)) * random.gamma(3, 1 / 3, shape)
    grey = retina(3).convert("L")
    return {
        "page": page,
        "noise": picture(random.uniform(0, 255, (*shape, 3))),
        "warm noise": picture(random.normal((170, 80, 30), 40, (*shape, 3))),
        "plain disc": disc,
        "ball": picture(ball),
        "skin": picture(skin),
        "landscape": picture(sky + random.normal(0, 3, (*shape, 3))),
        "tomography": picture(np.repeat(scan[..., None], 3, axis=2)),
        "red-free": grey.convert("RGB"),
        "infrared": grey.filter(ImageFilter.GaussianBlur(2)).convert("RGB"),
        "blue retina": Image.merge("RGB", retina(4).split()[::-1]),
        "gradient": picture(across[..., None] * np.array((40, 120, 210))),
    }


@pytest.mark.parametrize("name", strangers())
def test_what_is_no_colour_photograph_of_a_retina_is_suspected(name: str) -> None:
    assert kind(strangers()[name]) in {"not_fundus", "blank"}


def test_what_could_not_be_read_is_not_judged() -> None:
    assert judge(Measurement(problem="the file is empty")) is None


def test_a_reason_holds_nothing_of_the_photograph() -> None:
    reasons = {judge(measured(image)) for image in strangers().values()}
    assert not any(character.isdigit() for found in reasons if found for character in found.why)
