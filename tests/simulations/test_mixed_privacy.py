"""A federation in which some sites train under differential privacy and one does not: real workers, real messages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.simulations.conftest import Outcome
from tests.simulations.test_run_mistakes import refused

Command = Callable[..., Outcome]
PRIVATE, PLAIN = "private: epsilon 8, delta 1e-05", "not private"
SMALL = (
    "privacy.sites=site-1,site-2 model.image.size=64 model.image.width=32 training.local_steps=2 "
    "evaluation.resamples=20 evaluation.comparison=false"
)
MIXED = ["--preset", "private-tiny", "--partition", "iid", "--sites", "3", "--rounds", "2"]
MIXED += [part for item in SMALL.split() for part in ("--set", item)]


@pytest.mark.parametrize("secure", [(), ("--secure-aggregation",)])
def test_only_the_named_sites_train_privately_and_each_is_labelled(
    secure: tuple[str, ...], command: Command, synthetic: Path, tmp_path: Path, trained: list[str]
) -> None:
    out = tmp_path / "out"
    shown = command("run", "--data", synthetic, *MIXED, *secure, "--out", out)
    assert shown.code == 0, shown.err
    assert trained == ["site-3", "site-3"]  # by the plain loop, once a round
    labels = {"site-1": PRIVATE, "site-2": PRIVATE, "site-3": PLAIN}
    rounds = [json.loads(line) for line in (out / "history.jsonl").read_text().splitlines()]
    for row in rounds[1:]:
        assert {name: site["privacy"] for name, site in row["sites"].items()} == labels
        losses = {name: site["losses"] for name, site in row["sites"].items()}
        assert losses["site-1"] == losses["site-2"] == {}
        if secure:  # the sum of one site's losses would be that site's
            assert (row["together"]["loss"], row["together"]["losses"]) == (None, {})
        else:
            assert losses["site-3"]["grading"] > 0
    assert json.loads((out / "metrics.json").read_text())["run"]["privacy"] == labels
    statement = json.loads((out / "model" / "privacy.json").read_text())
    assert statement["private"] is False
    assert statement["sites"] == labels
    assert "site-3 trained without differential privacy" in statement["why"]


def test_the_names_must_be_those_of_the_partition(
    command: Command, synthetic: Path, tmp_path: Path, trained: list[str]
) -> None:
    out = tmp_path / "out"
    asked = [*MIXED, "--set", "privacy.sites=site-1,site-9"]
    refused(
        command("run", "--data", synthetic, *asked, "--out", out),
        "no site 'site-9' to train privately",
        "privacy.sites",
        "site-1, site-2, site-3",
    )
    assert trained == []
    assert not out.exists()


@pytest.mark.parametrize("name", ["audit", "privacy-curve"])
def test_commands_that_compare_budgets_take_every_site(name: str, command: Command, tmp_path: Path) -> None:
    asked = ["--preset", "private-tiny", "--set", "privacy.sites=site-1", "--out", tmp_path / "out"]
    refused(command(name, "--data", tmp_path / "absent", *asked), "privacy.sites")
