"""Differential privacy asked for in a way that gives none: said before data are read, and nothing is left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.simulations.conftest import Outcome
from tests.simulations.test_run_mistakes import refused

Command = Callable[..., Outcome]


@pytest.mark.parametrize("option", [("--dp-mode", "groups"), ("--dp-delta", "1e-6")])
def test_an_option_of_privacy_without_a_budget_is_refused(
    option: tuple[str, str], command: Command, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    refused(
        command("run", "--data", tmp_path / "absent", *option, "--out", out),
        f"{option[0]} asks for differential privacy, and --dp-epsilon is missing",
    )
    assert not out.exists()


def test_a_preset_with_privacy_needs_no_budget_beside_it(command: Command, tmp_path: Path) -> None:
    """It goes on to the data, which are not there."""
    shown = command("run", "--data", tmp_path / "absent", "--preset", "private-tiny", "--dp-delta", "1e-6")
    refused(shown, "absent")
    assert "--dp-epsilon" not in shown.err


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        (["--set", "losses.contrastive_source=paired"], "losses.contrastive_source"),
        (["--strategy", "fedprox"], "federation.strategy"),
        (["--dp-epsilon", "1e-9"], "privacy.epsilon"),
        (["--dp-epsilon", "101"], "privacy.epsilon"),
        (["--dp-delta", "1"], "privacy.delta"),
    ],
)
def test_what_needs_no_data_is_refused_before_there_are_any(
    arguments: list[str], where: str, command: Command, tmp_path: Path
) -> None:
    """Once, by its key, although the data folder is not there either."""
    out = tmp_path / "out"
    shown = command("run", "--data", tmp_path / "absent", "--dp-epsilon", "8", *arguments, "--out", out)
    refused(shown, f"where: {where}")
    assert shown.code == 2
    assert shown.err.count("error:") == 1
    assert not out.exists()


@pytest.mark.parametrize("name", ["crossvalidate", "privacy-curve", "audit", "tables", "weighting"])
def test_every_command_that_trains_privately_asks_first(name: str, command: Command, tmp_path: Path) -> None:
    out = tmp_path / "out"
    asked = ["--set", "privacy.enabled=true", "--set", "losses.contrastive_source=paired"]
    asked += [
        "--set",
        "losses.fixed.image_text=1.0",
    ]  # `private-tiny`, which the audit takes, has none of these
    refused(
        command(name, "--data", tmp_path / "absent", *asked, "--out", out), "where: losses.contrastive_source"
    )
    assert not out.exists()


def test_a_budget_that_no_noise_reaches_is_refused_before_training(
    command: Command, synthetic: Path, tmp_path: Path, trained: list[str]
) -> None:
    """At how many steps depends on the sites' patients, so this one is known once they are dealt."""
    out = tmp_path / "out"
    asked = ["--preset", "private-tiny", "--dp-epsilon", "0.001", "--set", "model.image.size=32"]
    refused(
        command("run", "--data", synthetic, *asked, "--out", out), "privacy.epsilon", "no noise is enough"
    )
    assert trained == []
    assert not out.exists()
