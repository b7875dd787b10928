"""Whoever names a budget and switches nothing on is told so, and is not trained on without privacy."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared_model import load_config
from shared_model.config import to_toml
from shared_model.errors import ConfigError

ASKED = ["privacy.epsilon=3.0", "privacy.delta=1e-6", "privacy.mode=groups"]


@pytest.mark.parametrize("override", ASKED)
def test_a_budget_alone_is_not_taken_for_none(override: str, tmp_path: Path) -> None:
    key, value = override.split("=")
    with pytest.raises(ConfigError, match=f"{key} asks for differential privacy"):
        load_config("tiny", overrides=[override])
    file = tmp_path / "run.toml"
    written = value if value[0].isdigit() else f'"{value}"'
    file.write_text(f"[privacy]\n{key.removeprefix('privacy.')} = {written}\n")
    with pytest.raises(ConfigError, match=f"{key} asks for differential privacy"):
        load_config("tiny", file=file)
    assert load_config("tiny", file=file, overrides=["privacy.enabled=true"]).privacy.enabled
    with pytest.raises(ConfigError, match="asks for differential privacy"):
        load_config("tiny", privacy__epsilon=3.0)


@pytest.mark.parametrize("override", ASKED)
def test_a_budget_beside_a_plain_answer_is_believed(override: str) -> None:
    assert not load_config("tiny", overrides=[override, "privacy.enabled=false"]).privacy.enabled
    assert load_config("private-tiny", overrides=[override]).privacy.enabled
    assert not load_config("tiny", overrides=[override], privacy_elsewhere=True).privacy.enabled


def test_the_written_configuration_of_a_plain_run_is_taken_and_a_budget_beside_it_is_not(
    tmp_path: Path,
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(to_toml(load_config("tiny")), encoding="utf-8")
    assert not load_config(file=file).privacy.enabled
    with pytest.raises(ConfigError, match=r"privacy\.epsilon"):
        load_config(file=file, overrides=["privacy.epsilon=3.0"])
