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
