from __future__ import annotations

import os
import time

import pytest

from client.rights.retention import RETENTION_KEYS, expire
from client.site.config import RetentionSection
from client.site.contents import CONTENTS, IMAGES, MEASUREMENTS, QUARANTINE, files
from client.site.state import SiteState
from shared_model.errors import ConfigError
from tests.client.rights.conftest import Site

DAY = 86_400
DAYS = {"caches": 90, "worker": 90, "measurements": 100, "quarantine": 200}


def kept(site: Site) -> set[str]:
    return {content.name for content in CONTENTS if files(site.folder, content)}


def after(site: Site, days: float, limits: dict[str, int]) -> list[str]:
    return expire(site.state, limits, now=time.time() + days * DAY)


def test_the_keys_are_those_of_site_toml() -> None:
    assert set(RETENTION_KEYS) == set(RetentionSection.model_fields)


def test_each_content_goes_when_its_own_time_is_up_and_what_went_is_said(site: Site) -> None:
    everything = kept(site)
    assert after(site, 89, DAYS) == []
    assert after(site, 91, DAYS) == [
        "photographs: 91 days old; site.toml keeps caches 90 days",
        "worker state: 91 days old; site.toml keeps worker 90 days",
    ]
    assert not site.state.path(IMAGES).exists()
    assert not site.state.path(f"{IMAGES}.json").exists()
    assert after(site, 101, DAYS) == ["measurements: 101 days old; site.toml keeps measurements 100 days"]
    assert len(after(site, 201, DAYS)) == 1
    assert everything - kept(site) == {"photographs", "worker state", "measurements", "quarantine"}


def test_what_a_patient_or_the_limit_relies_on_never_goes(site: Site) -> None:
    site.state.write("excluded", b'{"patients": {}}')
    after(site, 100_000, DAYS)
    assert kept(site) >= {"salt", "exclusions", "participation", "privacy ledger", "answers"}


def test_nothing_goes_where_site_toml_sets_no_limit(site: Site) -> None:
    before = kept(site)
    assert after(site, 100_000, dict.fromkeys(DAYS, 0)) == []
    assert after(site, 100_000, {}) == []
    assert kept(site) == before


def test_measurements_do_not_grow_younger_by_what_is_added_to_them(site: Site) -> None:
    os.utime(site.state.path(MEASUREMENTS), (time.time() + 99 * DAY,) * 2)
    assert len(after(site, 101, DAYS | {"caches": 0, "worker": 0})) == 1


def test_damaged_measurements_go_by_the_age_of_their_file(site: Site) -> None:
    site.state.path(MEASUREMENTS).write_bytes(b"not a journal at all, not a journal at all")
    assert after(site, 99, DAYS | {"caches": 0, "worker": 0}) == []
    assert len(after(site, 101, DAYS | {"caches": 0, "worker": 0})) == 1


def test_what_interrupted_commands_left_goes_after_a_day(site: Site) -> None:
    left = site.folder / f".{QUARANTINE}.abc"
    left.write_bytes(b"rows")
    assert after(site, 0.5, {}) == []
    assert after(site, 1.5, {}) == ["what an interrupted command left of the quarantine"]
    assert not left.exists()


def test_a_key_there_is_none_of_is_refused(site: Site) -> None:
    with pytest.raises(ConfigError, match="cache") as caught:
        expire(site.state, {"cache": 3})
    assert caught.value.where == "retention.cache"


def test_while_another_command_runs_nothing_goes_and_nobody_waits(site: Site) -> None:
    other, before = SiteState.open(site.folder, site.key, encrypt=site.state.vault is not None), kept(site)
    with other.lock("round"):
        assert after(site, 1000, DAYS) == []
        assert kept(site) == before
    assert len(after(site, 1000, DAYS)) == 4


def test_where_nothing_is_due_no_lock_is_taken(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []
    lock = site.state.lock
    monkeypatch.setattr(site.state, "lock", lambda command: taken.append(command) or lock(command))
    assert after(site, 1, DAYS) == []
    assert taken == []
    assert after(site, 91, DAYS)
    assert taken == ["retention"]
