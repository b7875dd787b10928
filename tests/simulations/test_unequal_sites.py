"""One federation of unequal hospitals (photographs only, no notes, a part of the form) and what each gets of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.simulations.conftest import SMALL, Outcome

Command = Callable[..., Outcome]
WITHHOLD = {
    "moema": ["text", "structured"],
    "paulista": ["text"],
    "ipiranga": ["insulin", "diabetes_duration"],
}
FEWER = {
    "moema": {"image_reconstruction", "grading"},
    "paulista": {"image_structured", "image_reconstruction", "grading"},
}


@pytest.fixture(scope="module")
def unequal(synthetic: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run with every baseline, its loss weights learnt, so that an absent loss could drift."""
    out = tmp_path_factory.mktemp("unequal") / "run"
    items = [f"federation.withhold.{site}={json.dumps(names)}" for site, names in WITHHOLD.items()]
    items += [*SMALL.split(), "losses.weighting=softmax", "runtime.jobs=1"]
    arguments = ["run", "--data", str(synthetic), "--rounds", "2", "--out", str(out)]
    shown = subprocess.run(
        [sys.executable, "-c", "from simulations.cli import main; main()", *arguments]
        + [part for item in items for part in ("--set", item)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    for site, names in WITHHOLD.items():
        assert f"Site {site} was made to do without {' and '.join(names)}" in shown.stderr
    assert "not held" in shown.stdout
    return out


@pytest.fixture(scope="module")
def document(unequal: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((unequal / "metrics.json").read_text())
    return found


def test_each_site_trains_by_the_losses_that_its_records_support(unequal: Path) -> None:
    rows = [json.loads(line) for line in (unequal / "history.jsonl").read_text().splitlines()]
    for row in rows:
        if row["round"] == 0:
            continue
        for site, held in row["sites"].items():
            name = site.removeprefix("local:")
            if name in FEWER:
                assert set(held["losses"]) == set(held["loss_weights"]) == FEWER[name]
            else:
                assert len(held["losses"]) == 6
            assert sum(held["loss_weights"].values()) == pytest.approx(1)


def test_what_one_site_holds_is_known_to_the_model(unequal: Path) -> None:
    """Insulin and duration are recorded at paulista alone, notes at ipiranga alone."""
    standardisation = json.loads((unequal / "model" / "standardisation.json").read_text())
    assert all(standardisation["available"])
    assert standardisation["notes"]


def test_no_figure_is_made_up_for_what_a_site_lacks(document: dict[str, Any]) -> None:
    everything = document["models"]["federated"]
    for site, lost in (("moema", ("note", "structured")), ("paulista", ("note",))):
        for given, figures in everything[site]["icdr"]["by_input"].items():
            lacks = bool(set(given.split("_")) & set(lost))
            assert (figures["n"] == 0) is lacks
            assert (figures["accuracy"] is None) is lacks
        assert everything[site]["retrieval"]["unimodal"]["text_to_image"]["recall_at_1"] is None
        assert everything[site]["retrieval"]["unimodal"]["text_to_image"]["n"] == 0
    assert everything["ipiranga"]["icdr"]["by_input"]["note"]["n"] > 0
    assert everything["ipiranga"]["retrieval"]["unimodal"]["text_to_image"]["recall_at_1"] is not None


def test_what_each_modality_is_worth_says_what_is_not_held(document: dict[str, Any], unequal: Path) -> None:
    held = {(e["on"], e["input"]): e["held"] for e in document["modalities"] if e["task"] == "icdr"}
    inputs = ("image", "image_note", "image_structured", "all")
    assert [held["moema", given] for given in inputs] == [True, False, False, False]
    assert [held["paulista", given] for given in inputs] == [True, False, True, True]
    assert all(held[on, given] for on in ("ipiranga", "all") for given in inputs)
    page = (unequal / "report.html").read_text()
    assert page.count("not held") == 2 * 2 * 4  # four places a task, in table and drawing
    assert "Site moema was made to do without text and structured" in page


def test_a_model_that_never_saw_a_note_is_tested_without_them(document: dict[str, Any]) -> None:
    """Random weights reading the other sites' notes would be called the model of a hospital without notes."""
    for site, unread in (("moema", ("note", "structured")), ("paulista", ("note",))):
        tested = document["models"][f"local:{site}"]["ipiranga"]["icdr"]
        assert tested["n"] > 0
        for name in unread:
            assert tested["by_input"][name]["n"] == 0
        assert (tested["by_input"]["image_structured"]["n"] > 0) is (site == "paulista")
    pooled = document["models"]["pooled"]
    assert pooled["ipiranga"]["icdr"]["by_input"]["note"]["n"] > 0
    assert pooled["moema"]["icdr"]["by_input"]["note"]["n"] == 0


def test_evaluating_the_model_on_the_same_data_gives_the_runs_figures(
    unequal: Path, synthetic: Path, document: dict[str, Any], command: Command
) -> None:
    shown = command("evaluate", "--model", unequal / "model", "--data", synthetic, "--json")
    assert shown.code == 0, shown.err
    again = json.loads(shown.out)
    assert again["models"]["federated"] == document["models"]["federated"]
    assert again["modalities"] == document["modalities"]
    assert any("moema was made to do without" in notice for notice in again["run"]["notices"])


def test_another_data_set_is_read_whole(unequal: Path, synthetic: Path, command: Command) -> None:
    shown = command("evaluate", "--model", unequal / "model", "--data", synthetic, "--split", "all", "--json")
    again = json.loads(shown.out)
    assert again["models"]["federated"]["moema"]["icdr"]["by_input"]["note"]["n"] > 0
    assert not any("made to do without" in notice for notice in again["run"]["notices"])
    counted = json.loads((unequal / "partition.json").read_text())["sites"].values()
    trained = sum(site["patients"]["train"] for site in counted)
    assert f"it was trained on {trained} and" in again["verdict"]["warnings"][0]


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ('federation.withhold.atlantis=["text"]', ["atlantis", "ipiranga, moema, paulista"]),
        ('federation.withhold.moema=["image"]', ["site moema", "every record is a photograph"]),
        ('federation.withhold.moema=["notes"]', ["federation.withhold.moema", "'notes'", "'text'"]),
    ],
)
def test_a_mistake_is_refused_before_anything_is_trained(
    item: str, words: list[str], synthetic: Path, tmp_path: Path, command: Command, small: list[str]
) -> None:
    shown = command("run", "--data", synthetic, "--out", tmp_path / "run", "--set", item, *small)
    assert shown.code != 0
    assert "Traceback" not in shown.err
    assert "rounds" not in shown.err
    assert all(word in shown.err for word in words), shown.err
    assert not (tmp_path / "run").exists()


def test_a_federation_without_a_single_note_or_value_trains_and_says_so(
    synthetic: Path, tmp_path: Path, command: Command, small: list[str]
) -> None:
    sets = [p for site in WITHHOLD for p in ("--set", f'federation.withhold.{site}=["text", "structured"]')]
    arguments = ["--set", "evaluation.comparison=false", "--rounds", 1, "--json"]
    shown = command("run", "--data", synthetic, "--out", tmp_path / "run", *small, *sets, *arguments)
    assert shown.code == 0, shown.err
    found = json.loads(shown.out)
    icdr = found["models"]["federated"]["all"]["icdr"]
    assert icdr["n"] == icdr["by_input"]["image"]["n"] > 0
    assert icdr["by_input"]["note"]["n"] == icdr["by_input"]["structured"]["n"] == 0
    standardisation = json.loads((tmp_path / "run" / "model" / "standardisation.json").read_text())
    assert standardisation["notes"] is False
    assert not any(standardisation["available"])
