"""A seed that failed is told beside the mean of the others, with its reason, in every form of a table."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared_model.config import load_config
from simulations.experiments import Experiment, Result
from simulations.tables.build import build
from simulations.tables.contents import CONTENTS
from simulations.tables.write import write_tables

WHY = "training diverged: the loss is not a number"


def result(value: float) -> Result:
    figures = {"accuracy": value, "quadratic_weighted_kappa": value, "intervals": {}}
    both = {"icdr": figures, "sdrg": figures}
    document = {"figures": {"all": both}, "majority": {"all": both}, "origin": {"image": "random weights"}}
    return Result(document, Path("nowhere"))


def experiments(mode: str, *found: Result) -> dict[Experiment, Result]:
    config = load_config("tiny", variant="vision")
    return {
        Experiment("vision", mode, config.model_copy(update={"seed": seed})): one
        for seed, one in enumerate(found)
    }


def failure() -> Result:
    return Result({}, Path("nowhere"), WHY)


@pytest.fixture
def contents() -> Any:
    return replace(CONTENTS[2], rows=("vision",))


def test_two_of_three_seeds_are_called_so_with_the_reason(contents: Any, tmp_path: Path) -> None:
    table = build(contents, experiments("federated", result(0.2), failure(), result(0.4)), {})
    write_tables(tmp_path, [table], {}, [])
    for name in ("tables.md", "tables.html"):
        assert f"(2 of 3 seeds: {WHY})" in (tmp_path / name).read_text()
    (row,) = json.loads((tmp_path / "tables.json").read_text())["tables"][0]["rows"]
    assert row["missing"] == WHY
    cells = [cell for cells in row["cells"].values() for cell in cells if cell["models"]]
    assert cells
    assert all(cell["models"] == [2, 3] and None in cell["seeds"] for cell in cells if cell["value"])


def test_a_row_without_a_failure_says_nothing_and_one_of_failures_only_is_not_available(
    contents: Any,
) -> None:
    whole = build(contents, experiments("federated", result(0.2), result(0.4)), {}).rows[0].texts()
    assert not any(" of " in text for text in whole)
    failed = build(contents, experiments("federated", failure(), failure()), {}).rows[0].texts()
    assert f"not available ({WHY})" in failed


def test_a_site_that_could_not_train_alone_is_missed_from_the_mean_of_sites(contents: Any) -> None:
    config = load_config("tiny", variant="vision")
    found = {Experiment("vision", f"local:{site}", config): result(0.3) for site in "ab"}
    found[Experiment("vision", "local:c", config)] = failure()
    (row,) = build(contents, found, {}).rows
    assert any(f"(2 of 3 models: {WHY})" in text for text in row.texts())


def test_the_page_says_what_it_is_for(tmp_path: Path) -> None:
    write_tables(tmp_path, [], {}, [])
    assert "Research use, not a medical device" in (tmp_path / "tables.html").read_text()
