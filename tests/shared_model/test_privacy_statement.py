"""What a private model's folder says that its promise leaves open."""

from __future__ import annotations

from typing import Any

import pytest

from shared_model import load_config
from shared_model.privacy_statement import privacy_statement


def statement(*overrides: str) -> dict[str, Any]:
    found = privacy_statement(load_config("private-tiny", overrides=list(overrides)))
    assert found is not None
    return found


@pytest.mark.parametrize(
    "words",
    ["on validation patients", "on test patients", "registered", "two hospitals", "other runs", "statistics"],
)
def test_everything_exact_that_leaves_beside_the_updates_is_named_as_not_covered(words: str) -> None:
    assert any(words in line for line in statement()["not_covered"])


@pytest.mark.parametrize(("delta", "most"), [(1e-5, 99_999), (0.3, 3), (0.5, 1), (0.001, 999)])
def test_it_says_of_how_many_patients_delta_is_below_one_in(delta: float, most: int) -> None:
    said = statement(f"privacy.delta={delta}")["remarks"][0]
    assert f"at most {most} patients" in said
    assert delta < 1 / most
    assert not delta < 1 / (most + 1)


def test_a_delta_that_is_too_large_for_the_patients_of_one_step_is_remarked_upon() -> None:
    drawn = load_config("private-tiny").privacy.patients
    assert len(statement(f"privacy.delta={0.9 / drawn}")["remarks"]) == 1
    for delta in (0.3, 1.1 / drawn):
        remarks = statement(f"privacy.delta={delta}")["remarks"]
        assert f"above one in the {drawn} patients that a step draws" in remarks[-1]
