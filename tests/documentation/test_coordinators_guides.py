"""What the coordinator's guides say of presets and of logs is what the programs and the service files do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main

import server.cli
from server.executing import deployed
from shared_model.config import load_config

ROOT = Path(__file__).parents[2]
COORDINATE, LOGS = (
    (ROOT / "docs" / "guides" / name).read_text(encoding="utf-8") for name in ("coordinate.md", "logs.md")
)


@pytest.mark.parametrize("preset", ["paper", "tiny"])
def test_the_sample_of_a_run_is_a_configuration_over_either_preset(preset: str, tmp_path: Path) -> None:
    (sample,) = re.findall(r"^```toml\n(.*?)^```", COORDINATE, flags=re.DOTALL | re.MULTILINE)
    (tmp_path / "run.toml").write_text(sample, encoding="utf-8")
    config = deployed(load_config(preset, file=tmp_path / "run.toml"))
    assert (config.preset, config.federation.strategy, config.federation.quorum) == (preset, "median", 3)


def test_the_guide_names_the_preset_that_is_launched_without_one_and_the_one_for_trials() -> None:
    launch = typer.main.get_command(server.cli.app).commands["launch"]  # type: ignore[attr-defined]
    (preset,) = (one.default for one in launch.params if one.name == "preset")
    assert preset is None
    assert f"without either it is `{load_config().preset}`" in COORDINATE
    assert "launch run.toml --kit kit --preset tiny" in COORDINATE


@pytest.mark.parametrize("unit", ["front", "proxy"])
def test_the_guide_to_logs_names_where_nginx_writes_under_systemd_and_as_whom(unit: str) -> None:
    text = (ROOT / "deploy" / "templates" / f"fedfundus-{unit}.service").read_text(encoding="utf-8")
    (folder,) = set(re.findall(r"nginx -p (\S+)", text))
    (user,) = re.findall(r"^User=(.*)$", text, flags=re.MULTILINE)
    rotation = LOGS.split("## Rotation")[1]
    after = rotation.split(f"`{folder}/*.log`")[1]
    assert re.findall(r"after `su`: `([\w-]+)`", after)[0] == user
