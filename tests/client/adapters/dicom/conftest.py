"""A folder of DICOM photographs, written one by one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.client.data.dicom.files import photograph

Write = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "export"


@pytest.fixture
def write(folder: Path) -> Write:
    def write(name: str, number: int = 1, **elements: Any) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photograph(**{"SOPInstanceUID": f"1.2.3.{number}", **elements}))
        return path

    return write
