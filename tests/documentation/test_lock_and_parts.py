"""requirements.lock is what constraints.txt pins of the runtime, and the SBOM names every pin."""

from __future__ import annotations

import json
import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PINS = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").split())
LOCKED = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", LOCK, flags=re.MULTILINE))


def closure(name: str) -> set[str]:
    """Everything that the installed package needs to run, as the installed packages say."""
    needed: set[str] = set()
    waiting = [(name, "")]
    seen: set[tuple[str, str]] = set()
    while waiting:
        one, extra = waiting.pop()
        if (one, extra) in seen:
            continue
        seen.add((one, extra))
        try:
            wanted = distribution(one).requires or []
        except PackageNotFoundError:
            pytest.fail(f"{one} is needed and not installed")
        for line in wanted:
            requirement = Requirement(line)
            if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
                continue
            found = canonicalize_name(requirement.name)
            needed.add(found)
            waiting += [(found, given) for given in ("", *requirement.extras)]
    return needed


def test_the_lock_holds_what_runs_at_the_pinned_versions_and_nothing_else() -> None:
    assert {name: PINS.get(name) for name in LOCKED} == LOCKED
    assert set(LOCKED) == closure("fedfundus")
    assert "pytest" not in LOCKED


def test_every_locked_package_has_hashes_and_no_registry_is_named() -> None:
    blocks = re.split(r"^(?=[a-z0-9-]+==)", LOCK, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(LOCKED)
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", block) for block in blocks)
    assert "://" not in LOCK
    assert not re.search(r"--(index|extra-index|find-links|trusted)", LOCK)


def test_the_bill_of_materials_names_every_pin_and_no_place_of_the_machine_it_was_made_on() -> None:
    text = (ROOT / "sbom.cdx.json").read_text(encoding="utf-8")
    document = json.loads(text)
    assert document["bomFormat"] == "CycloneDX"
    assert document["metadata"]["component"]["name"] == "fedfundus"
    listed = {canonicalize_name(part["name"]): part["version"] for part in document["components"]}
    assert listed == PINS
    assert "file://" not in text
