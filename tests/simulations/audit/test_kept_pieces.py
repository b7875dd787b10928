"""A kept piece is used again for the same question, and made anew when data, configuration or code are others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared_model.config import load_config
from simulations.audit import pieces
from simulations.audit.pieces import Pieces, sources


def test_a_piece_is_made_once_for_each_question(tmp_path: Path) -> None:
    made: list[Path] = []

    def make(folder: Path) -> Any:
        made.append(folder)
        return len(made)

    config = load_config("tiny")
    kept, other = Pieces(tmp_path, "data"), Pieces(tmp_path, "other data")
    assert [kept.piece("a", config, what, make) for what in (1, 1, 2)] == [1, 1, 2]
    assert other.piece("a", config, 1, make) == 3
    assert not any(folder.exists() for folder in made)


def test_a_change_of_the_deciding_code_makes_it_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, kept = load_config("tiny"), Pieces(tmp_path, "data")
    assert kept.piece("a", config, 1, lambda _: "before") == "before"
    monkeypatch.setattr(pieces, "DECIDING", ("simulations.audit",))
    assert kept.piece("a", config, 1, lambda _: "after") == "after"


def test_the_sources_are_those_of_all_named_packages() -> None:
    both = sources(("client.privacy", "simulations.audit"))
    assert len({both, sources(("simulations.audit",)), sources(("client.privacy",))}) == 3
    assert sources(("client.privacy",)) != sources(("client.privacy.dp",))  # and of those below
