"""A hospital's own table with photographs beside it, as the adapter `table` reads them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from tests.client.adapters.table.mapped import Row, Write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A folder with a table of these rows (their keys are the header) and photographs."""

    def make(
        rows: Sequence[Row],
        *,
        name: str = "export.csv",
        delimiter: str = ",",
        photographs: Sequence[str] = ("1.jpg", "2.jpg", "3.jpg"),
    ) -> Path:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter, restval="")
        writer.writeheader()
        writer.writerows(rows)
        (tmp_path / name).write_text(text.getvalue(), encoding="utf-8", newline="")
        for number, photograph in enumerate(photographs):
            path = tmp_path / photograph
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8), (number, 40, 40)).save(path)
        return tmp_path

    return make
