from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from client.check.duplicates import near
from client.check.features import LEAST, features
from client.check.measurement import Measurement
from client.data.pipeline import decode
from tests.client.check.drawn import encoded, retina


def measured(data: bytes) -> Measurement:
    decoded = decode(data, LEAST // 2)
    return Measurement(sha256=hashlib.sha256(data).hexdigest(), **vars(features(decoded.picture)))


def cropped(image: Image.Image) -> Image.Image:
    width, height = image.size
    return image.crop((round(0.03 * width), round(0.01 * height), round(0.98 * width), round(0.98 * height)))


def shifted(image: Image.Image) -> Image.Image:
    moved = Image.new("RGB", image.size)
    moved.paste(image, (4, -3))
    return moved


EDITS: dict[str, Callable[[Image.Image], bytes]] = {
    "recompressed": lambda image: encoded(image, quality=45),
    "halved": lambda image: encoded(image.resize((image.width // 2, image.height // 2))),
    "enlarged": lambda image: encoded(image.resize((image.width * 3 // 2, image.height * 3 // 2))),
    "cropped": lambda image: encoded(cropped(image)),
    "shifted": lambda image: encoded(shifted(image)),
    "brighter": lambda image: encoded(image.point(lambda level: min(255, round(level * 1.12)))),
    "gamma": lambda image: encoded(image.point(lambda level: round(255 * (level / 255) ** 1.15))),
    "png": lambda image: encoded(image, "PNG"),
    "border": lambda image: encoded(bordered(image)),
}


def bordered(image: Image.Image) -> Image.Image:
    wide = Image.new("RGB", (image.width + 120, image.height + 40))
    wide.paste(image, (60, 20))
    return wide


@pytest.mark.parametrize("edit", EDITS)
def test_one_exposure_stored_twice_is_found_and_different_eyes_are_not(edit: str) -> None:
    originals = [retina(seed) for seed in range(30)]
    copies = [EDITS[edit](image) for image in originals[:20]]
    pairs = near([measured(encoded(image)) for image in originals] + [measured(copy) for copy in copies])
    found = {(pair.first, pair.second) for pair in pairs}
    assert found <= {(k, 30 + k) for k in range(20)}
    assert len(found) >= 19


def test_a_turned_eye_is_another_exposure() -> None:
    image = retina(5)
    assert near([measured(encoded(image)), measured(encoded(image.rotate(5)))]) == []
    assert (
        near([measured(encoded(image)), measured(encoded(image.transpose(Image.Transpose.ROTATE_180)))]) == []
    )


def test_the_same_bytes_are_not_near_and_the_first_stands_for_all() -> None:
    one, other = measured(encoded(retina(1))), measured(encoded(retina(1), quality=60))
    photographs = [one, measured(encoded(retina(2))), one, other, one]
    assert [(pair.first, pair.second) for pair in near(photographs)] == [(0, 3)]


def test_what_cannot_be_read_or_is_blank_has_no_twin() -> None:
    broken = Measurement(problem="the file is empty", sha256="e3")
    blanks = [measured(encoded(Image.new("RGB", (64, 60), (k, k, k)))) for k in (100, 101)]
    assert near([broken, broken, *blanks]) == []
    assert near([]) == []


def test_many_copies_of_one_photograph_stay_affordable() -> None:
    random = np.random.default_rng(0)
    base = measured(encoded(retina(1)))
    pixels = np.frombuffer(base.signature, np.uint8).astype(int)
    photographs = [
        Measurement(**{
            **vars(base),
            "sha256": str(k),
            "signature": np.clip(pixels + random.integers(-1, 2, pixels.size), 0, 255).astype(np.uint8).tobytes(),
        })
        for k in range(400)
    ]  # fmt: skip
    seen: list[tuple[int, int]] = []
    pairs = near(photographs, lambda done, total: seen.append((done, total)))
    assert len(pairs) <= 24 * 400
    assert {place for pair in pairs for place in (pair.first, pair.second)} == set(range(400))
    assert seen[-1] == (400, 400)
