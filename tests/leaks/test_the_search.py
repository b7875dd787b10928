"""The search finds a secret however it is dressed, so that what it does not find is not there."""

from __future__ import annotations

import base64
import gzip
import io
import json
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from leak_search import leaks

SECRET = "Jerônima Wyskowicz"


def npz(text: str) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, note=np.frombuffer(text.encode(), np.uint8))
    return buffer.getvalue()


DRESSES: dict[str, Callable[[str], bytes]] = {
    "raw": lambda text: b"x" * 7 + text.encode() + b"y" * 3,
    "small letters": lambda text: text.lower().encode(),
    "capitals": lambda text: text.upper().encode(),
    "hex": lambda text: text.encode().hex().encode(),
    "utf-16": lambda text: text.encode("utf-16"),
    "latin-1": lambda text: text.encode("latin-1"),
    "json": lambda text: json.dumps({"a": text}).encode(),
    "gzip": lambda text: b"header" + gzip.compress(text.encode()),
    "zlib": lambda text: b"header" + zlib.compress(text.encode() * 3),
    "npz": npz,
    "reversed": lambda text: text[::-1].encode(),
    "floats": lambda text: np.array([1.5, *text.encode(), 2.5], np.float32).tobytes(),
    "shares": lambda text: b"." + (np.frombuffer(text.encode(), np.uint8) / 255).astype(np.float32).tobytes(),
    "integers": lambda text: b".." + np.frombuffer(text.encode(), np.uint8).astype(np.int64).tobytes(),
    **{
        f"base64 {k}": lambda text, k=k: b'{"a":"' + base64.b64encode(b"z" * k + text.encode() + b"!") + b'"}'  # type: ignore[misc]
        for k in range(3)
    },
}


@pytest.mark.parametrize("dress", list(DRESSES))
def test_a_secret_is_found_in_any_dress(dress: str) -> None:
    assert [secret for secret, _ in leaks(DRESSES[dress](SECRET), [SECRET])] == [SECRET]


def test_noise_holds_no_secret() -> None:
    assert leaks(np.random.default_rng(0).bytes(500_000), [SECRET, "98765-43217", "17/11/1943"]) == []
