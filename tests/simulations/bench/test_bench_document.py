from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from shared_model.errors import ConfigError
from simulations.bench.document import document, show
from simulations.bench.figure import Figure, Measured
from simulations.bench.registry import chosen, names

FAST = Figure("training_step.speedup", (4.0, 5.0, 4.6), "paper against plain", goal=4.5)
SLOW = Figure("aggregation.peak_ratio_30_to_3", (1.3,), "30 over 3", goal=1.1, better="lower")
SHORT = Figure("training_step.other", (1.0,), "short", goal=2.0, applies=False)


def test_a_script_reads_a_figure_by_its_path_and_its_runs_and_goal_beside_it() -> None:
    found = document(
        {"step": Measured([FAST, SHORT], facts={"bf16": True}), "sums": Measured([SLOW])}, full=True
    )
    assert found["training_step"]["speedup"] == 4.6
    assert found["training_step"]["runs"]["speedup"] == [4.0, 5.0, 4.6]
    assert found["training_step"]["goals"]["speedup"] == 4.5
    assert found["training_step"]["reached"] == {"speedup": True, "other": None}
    assert found["aggregation"]["reached"]["peak_ratio_30_to_3"] is False
    assert found["bf16"] is True
    json.dumps(found, allow_nan=False)


def test_what_a_benchmarks_process_writes_is_read_back_as_it_was() -> None:
    measured = Measured([FAST, SLOW], {"a step": ["1 ms linear"]}, {"bf16": False})
    assert Measured.from_document(json.loads(json.dumps(measured.document()))) == measured


def test_a_log_file_holds_every_figure_and_names_what_failed() -> None:
    out = io.StringIO()
    show(
        {"step": Measured([FAST], {"Where a step goes": ["1 ms [linear]"]}), "sums": None}, Console(file=out)
    )
    text = out.getvalue()
    assert "training_step.speedup" in text
    assert "4.600x" in text
    assert "4.000x to 5.000x" in text
    assert "1 ms [linear]" in text
    assert "sums: ended without a figure" in text


@pytest.mark.parametrize("name", ["speedup", "a.b.c", ".x"])
def test_a_figure_is_named_by_section_and_key(name: str) -> None:
    with pytest.raises(ValueError, match=r"SECTION\.KEY"):
        Figure(name, (1.0,), "")


def test_an_unknown_benchmark_is_named_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match="no benchmark nothing") as error:
        chosen(["nothing", "exchange"])
    assert "exchange" in str(error.value)
    assert chosen([]) == names()
    assert chosen(["exchange", "simulation"]) == ["simulation", "exchange"]  # in our order
