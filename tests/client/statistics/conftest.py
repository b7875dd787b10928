"""Small canonical tables for statistics, and a state that lives in memory."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from shared_model.records import build


def training_records(count: int, split: str = "train", **columns: list[object]) -> pd.DataFrame:
    names = [f"{split}{i:04d}" for i in range(count)]
    given = {"record_id": names, "patient_id": names, "image_path": names, "split": [split] * count}
    return build({**given, **columns})


class MemoryState:
    """client.statistics.answers.State, remembering how often it was written."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.writes = 0

    def read(self, name: str) -> bytes | None:
        return self.files.get(name)

    def write(self, name: str, content: bytes) -> None:
        self.files[name] = content
        self.writes += 1


@pytest.fixture
def make_records() -> Callable[..., pd.DataFrame]:
    """A record a patient; columns: values of the canonical table."""
    return training_records


@pytest.fixture
def table() -> pd.DataFrame:
    """Sixty patients, enough in every cell for a small minimum."""
    grades: list[object] = [i % 5 for i in range(60)]
    return training_records(
        60,
        age=[40.0 + i % 20 for i in range(60)],
        icdr=grades,
        sdrg=grades,
        sex=[float(i % 2) for i in range(60)],
    )


@pytest.fixture
def state() -> MemoryState:
    return MemoryState()
