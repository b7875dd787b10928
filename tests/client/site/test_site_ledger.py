from __future__ import annotations

from pathlib import Path

import pytest

from client.privacy.ledger import LedgerError
from client.rights.participation import record_participation
from client.site.config import SiteConfig, load_site
from client.site.contents import LEDGER, WORKER
from client.site.ledger import charges, ledger
from client.site.state import SiteState


@pytest.fixture
def site(tmp_path: Path) -> tuple[SiteConfig, SiteState]:
    (tmp_path / "site.toml").write_text('[site]\nname = "a"\n[data]\nfolder = "."\n')
    config = load_site(tmp_path / "site.toml")
    return config, SiteState.open(config.state, config.key)


def test_a_new_site_begins_its_ledger_and_finds_it_again(site: tuple[SiteConfig, SiteState]) -> None:
    ledger(*site).charge("run", "statistics", 0.5)
    assert ledger(*site).spent().epsilon == 0.5


def test_who_only_looks_begins_nothing(site: tuple[SiteConfig, SiteState]) -> None:
    before = sorted(site[1].folder.iterdir())
    assert charges(*site) == []
    assert sorted(site[1].folder.iterdir()) == before
    ledger(*site).charge("run", "statistics", 0.5)
    assert [entry.epsilon for entry in charges(*site)] == [0.5]


def test_a_ledger_that_was_lost_is_not_begun_anew(site: tuple[SiteConfig, SiteState]) -> None:
    config, state = site
    ledger(config, state).charge("run", "statistics", 0.5)
    record_participation(state, "run", "north", ["a" * 32])
    for path in state.folder.glob(f"{LEDGER}*"):
        path.unlink()
    for look in (charges, lambda *site: ledger(*site).spent()):
        with pytest.raises(LedgerError, match="lost"):
            look(config, state)


def test_a_count_that_a_run_was_told_is_a_trace_too(site: tuple[SiteConfig, SiteState]) -> None:
    config, state = site
    ledger(config, state).record("run", "count told", {})
    state.write(f"{WORKER}/run/registered.json", b"40")
    for path in state.folder.glob(f"{LEDGER}*"):
        path.unlink()
    with pytest.raises(LedgerError, match="lost"):
        ledger(config, state).spent()
