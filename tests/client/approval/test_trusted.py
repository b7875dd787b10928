"""Whose run plan is believed: the federation's coordinator's, and nobody else's."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from deployed import make_federation, signed_by_kit

from client.approval.trusted import Trusted, trusted_of_kit
from deploy.authority.authority import Authority
from deploy.provision import Workplace, revoke
from shared_model.errors import ConfigError, DataError
from shared_model.run_plan import RunPlan, SignedPlan, read_plan

NOW = datetime.now(UTC)


@pytest.fixture
def trusted(kits: Path) -> Trusted:
    return trusted_of_kit(kits / "paulista", "paulista")


def test_the_coordinators_plan_is_believed_and_read_back_as_it_was(
    trusted: Trusted, signed: SignedPlan, plan: RunPlan
) -> None:
    assert trusted.plan_of(signed, NOW) == plan
    assert SignedPlan.of(json.loads(json.dumps(signed.to_field()))) == signed


def test_a_plan_that_a_site_signed_is_refused(trusted: Trusted, plan: RunPlan, kits: Path) -> None:
    with pytest.raises(DataError, match="not signed by the coordinator"):
        trusted.plan_of(signed_by_kit(plan, kits / "moema", "site"), NOW)


def test_a_plan_of_another_federations_coordinator_is_refused(
    trusted: Trusted, plan: RunPlan, tmp_path: Path
) -> None:
    elsewhere = make_federation(tmp_path)
    with pytest.raises(DataError, match="somebody of another federation"):
        trusted.plan_of(signed_by_kit(plan, elsewhere / "coordinator"), NOW)


def test_a_plan_that_was_altered_is_refused(trusted: Trusted, signed: SignedPlan, kits: Path) -> None:
    longer = replace(signed, text=signed.text.replace('"rounds":2', '"rounds":9'))
    assert longer != signed
    stolen = replace(signed, signature="AAAA")
    for forged in (longer, stolen, replace(signed, signature="not base64 at all")):
        with pytest.raises(DataError, match="was altered"):
            trusted.plan_of(forged, NOW)


def test_an_expired_certificate_signs_nothing_new_and_ends_no_run(
    trusted: Trusted, signed: SignedPlan, plan: RunPlan
) -> None:
    later = NOW + timedelta(days=100)
    with pytest.raises(DataError, match="expired"):
        trusted.plan_of(signed, later)
    assert trusted.plan_of(signed, None) == plan


def test_a_revoked_certificate_signs_nothing_once_the_newer_kit_is_here(
    plan: RunPlan, tmp_path: Path
) -> None:
    kits = make_federation(tmp_path)
    signed = signed_by_kit(plan, kits / "coordinator")
    assert trusted_of_kit(kits / "paulista", "paulista").plan_of(signed, NOW) == plan
    authority = Authority.open(tmp_path / "authority")
    place = Workplace(authority, authority.unlock(None), tmp_path / "newer", NOW)
    revoke(place, "coordinator")
    newer = trusted_of_kit(tmp_path / "newer" / "paulista", "paulista")
    for now in (NOW, None):
        with pytest.raises(DataError, match="was revoked"):
            newer.plan_of(signed, now)


def test_a_plan_of_another_name_of_federation_is_refused(trusted: Trusted, kits: Path, plan: RunPlan) -> None:
    other = plan.model_copy(update={"federation": "south"})
    with pytest.raises(DataError, match="of another federation"):
        trusted.plan_of(signed_by_kit(other, kits / "coordinator"), NOW)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"format":1}', "x" * 99, "\ud800"])
def test_what_is_no_plan_is_refused_in_words(text: str) -> None:
    with pytest.raises(DataError, match="not one that this release understands"):
        read_plan(text)


def test_one_plan_has_one_text(plan: RunPlan) -> None:
    spaced = json.dumps(json.loads(plan.text()), sort_keys=True)
    with pytest.raises(DataError, match="not written canonically"):
        read_plan(spaced)
    doubled = plan.text().replace('{"config"', '{"run":"other","config"', 1)
    with pytest.raises(DataError):
        read_plan(doubled)


@pytest.mark.parametrize(
    "given", [None, [], "plan", {}, {"plan": "a"}, {"plan": 1, "signature": "", "certificate": ""}]
)
def test_what_is_no_signed_plan_is_refused_in_words(given: object) -> None:
    with pytest.raises(DataError, match="no signed run plan"):
        SignedPlan.of(given)


def test_a_kit_of_another_site_or_one_that_was_altered_is_refused(kits: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'moema'"):
        trusted_of_kit(kits / "moema", "paulista")
    altered = shutil.copytree(kits / "paulista", tmp_path / "kit")
    (altered / "kit.toml").write_text((altered / "kit.toml").read_text() + "\n")
    with pytest.raises(DataError, match="altered"):
        trusted_of_kit(altered, "paulista")
