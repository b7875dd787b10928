"""A kit that cannot be started with: what is wrong, by number, with its fix."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from kit_makers import NOW, make

from deploy.errors import Code, DeployError
from deploy.kits.usable import require_usable
from deploy.provision import Workplace
from shared_model.errors import ConfigError


def refused(kit: Path, days: float = 0, **known: str) -> DeployError:
    with pytest.raises(DeployError) as error:
        require_usable(kit, NOW + timedelta(days=days), **known)
    assert error.value.fix
    assert str(error.value).startswith(error.value.code.value)
    return error.value


@pytest.fixture
def kit(untouched: Workplace, tmp_path: Path) -> Path:
    return Path(shutil.copytree(untouched.out / "moema", tmp_path / "kit"))


def test_a_good_kit_is_taken(kit: Path, untouched: Workplace) -> None:
    found = require_usable(kit, NOW, name="moema", authority=untouched.authority.fingerprint)
    assert found.exit_code == 0


@pytest.mark.parametrize(
    "gone", ["manifest.json", "manifest.sig", "certificates/site.pem", "keys/node.key", "proxy/nginx.conf"]
)
def test_a_half_copied_kit(kit: Path, gone: str) -> None:
    (kit / gone).unlink()
    error = refused(kit)
    assert error.code is Code.NOT_WHOLE
    assert "copy" in error.fix


def test_a_file_that_was_cut_short(kit: Path) -> None:
    certificate = kit / "certificates/site.pem"
    certificate.write_bytes(certificate.read_bytes()[:200])
    assert refused(kit).code in (Code.NOT_WHOLE, Code.UNSOUND)


def test_a_kit_for_another_federation(kit: Path, tmp_path: Path) -> None:
    other = make(tmp_path / "other")
    error = refused(kit, authority=other.authority.fingerprint)
    assert error.code is Code.OTHER_FEDERATION
    assert "telephone" in error.fix


@pytest.mark.parametrize(
    ("days", "code", "words"), [(-1, Code.CLOCK, "clock says"), (91, Code.EXPIRED, "expired on")]
)
def test_a_clock_that_is_off_by_a_day_and_one_that_is_right_too_late(
    kit: Path, days: float, code: Code, words: str
) -> None:
    error = refused(kit, days)
    assert error.code is code
    assert words in error.what


def test_a_key_that_others_can_read(kit: Path) -> None:
    (kit / "keys/site.key").chmod(0o644)
    assert refused(kit).code is Code.UNSOUND


def test_a_kit_of_another_member(kit: Path) -> None:
    with pytest.raises(ConfigError, match="is of 'moema'"):
        require_usable(kit, NOW, name="coordinator")
