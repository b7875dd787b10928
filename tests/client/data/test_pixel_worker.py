from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from client.adapters import Loaded, load
from client.data import image_reading
from client.data.image_index import Photograph, Source
from client.data.images import build_image_store
from client.data.pixel_worker import GONE, HEAD, NO_DIGEST, PIXELS, REFUSED
from client.isolation.pool import CRASHED

SIZE = 16


@pytest.fixture
def loaded(write_folder: Callable[..., Path]) -> Loaded:
    return load(write_folder([{} for _ in range(7)]))


def test_a_photograph_that_ends_its_decoder_costs_itself_and_is_tried_again(
    loaded: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = loaded.table["image_path"][3]
    (tmp_path / "fragile.py").write_text(
        "import os, sys\n"
        "from client.data.pixel_worker import read\n"
        "from client.isolation.serve import serve\n"
        "def task(path):\n"
        f"    if path == {victim!r}: os.abort()\n"
        "    return read(path, int(sys.argv[2]))\n"
        "serve(task)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with monkeypatch.context() as patched:
        patched.setattr(image_reading, "WORKER", "fragile")
        store, quarantine = build_image_store(loaded.table, tmp_path / "photos.npy", SIZE, processes=2)
    assert list(quarantine["reason"]) == [CRASHED]
    assert store.records == tuple(record for n, record in enumerate(loaded.table["record_id"]) if n != 3)
    again, quarantine = build_image_store(loaded.table, tmp_path / "photos.npy", SIZE)
    assert quarantine.empty
    assert again.records == tuple(loaded.table["record_id"])


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"P",
        HEAD.pack(PIXELS, NO_DIGEST) + bytes(3 * SIZE * SIZE - 1),
        HEAD.pack(b"?", NO_DIGEST) + bytes(3 * SIZE * SIZE),
        HEAD.pack(REFUSED, NO_DIGEST),
        HEAD.pack(GONE, NO_DIGEST) + b"a" * 2000,
    ],
)
def test_an_answer_that_is_none_counts_as_a_crash(answer: bytes) -> None:
    wanted = Photograph("r", "p", "/photo.jpg", Source(1, 1))
    found, pixels = image_reading._understood(wanted, answer, SIZE)
    assert (found.problem, found.source, pixels) == (CRASHED, None, None)


def test_more_photographs_than_a_window_keep_their_order(
    loaded: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = build_image_store(loaded.table, tmp_path / "whole.npy", SIZE)
    monkeypatch.setattr(image_reading, "WINDOW", 3)
    cut, _ = build_image_store(loaded.table, tmp_path / "cut.npy", SIZE, processes=2)
    assert cut.records == whole.records == tuple(loaded.table["record_id"])
    rows = np.arange(7)
    assert np.array_equal(cut.batch(rows), whole.batch(rows))
