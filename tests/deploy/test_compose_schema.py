"""The compose file of a site's kit, held against the Compose specification's own schema: it was never run here.

compose-spec.json is the schema of github.com/compose-spec/compose-go (Apache-2.0), as check-jsonschema 0.39 carries it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from deploy.provision import Workplace

SCHEMA = json.loads((Path(__file__).parent / "compose-spec.json").read_text(encoding="utf-8"))


@pytest.fixture
def compose(untouched: Workplace) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(
        (untouched.out / "moema" / "services" / "compose.yaml").read_text(encoding="utf-8")
    )
    return found


def problems(document: dict[str, Any]) -> list[str]:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    return [error.message for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(document)]


def test_the_compose_file_is_one(compose: dict[str, Any]) -> None:
    assert problems(compose) == []


def test_a_slip_would_be_found(compose: dict[str, Any]) -> None:
    compose["services"]["worker"]["network_mod"] = "none"
    assert any("network_mod" in problem for problem in problems(compose))
