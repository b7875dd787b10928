"""Decoding alone, as a worker of the reading pool: what the speed of `check` is measured against."""

from __future__ import annotations

import io

from PIL import Image

from client.isolation.serve import serve


def decode(path: str) -> bytes:
    """Open the file, decode it at its full size to RGB, and forget it."""
    with open(path, "rb") as file:
        data = file.read()
    with Image.open(io.BytesIO(data)) as image:
        image.convert("RGB").load()
    return b"decoded"


if __name__ == "__main__":
    serve(decode)
