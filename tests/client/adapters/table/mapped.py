"""A table of one photograph a row, and the mapping of its columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from client.adapters import Loaded, load

Write = Callable[..., Path]
Row = Mapping[str, str]
BASE = {"file": "export.csv", "columns": {"image": "Image"}}


def options(columns: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"file": "export.csv", **more, "columns": {"image": "Image", **(columns or {})}}


def one(write: Write, cells: Row, columns: Mapping[str, Any], **more: Any) -> tuple[pd.Series, Loaded]:
    loaded = load(write([{"Image": "1.jpg", **cells}]), "table", options=options(columns, **more))
    assert len(loaded.table) == 1
    return loaded.table.iloc[0], loaded
