from __future__ import annotations

from pathlib import Path

import pytest

from client.privacy.budget import budget
from client.privacy.ledger import LedgerError
from client.rights.participation import record_participation
from client.site.config import SiteConfig, load_site
from client.site.contents import CHARGED, LEDGER, WORKER
from client.site.ledger import charges, ledger
from client.site.state import SiteState
from shared_model.errors import RunError


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


@pytest.mark.parametrize("kind", ["statistics", "training", "count told"])
def test_an_older_ledger_alone_is_missed_whatever_was_entered_since(
    kind: str, site: tuple[SiteConfig, SiteState]
) -> None:
    config, state = site
    ledger(config, state).charge("run-1", "training", 1.0)
    paths = [state.path(LEDGER), state.path(f"{LEDGER}.head")]
    older = [path.read_bytes() for path in paths]
    if kind == "count told":
        ledger(config, state).record("north", kind, {})
    else:
        ledger(config, state).charge("north", kind, 3.0)
    newer = [path.read_bytes() for path in paths]
    for path, content in zip(paths, older, strict=True):
        path.write_bytes(content)
    for use in (
        lambda: charges(config, state),
        lambda: ledger(config, state).charge("run-2", "statistics", 0.1),
        lambda: budget(config, state),
    ):
        with pytest.raises(LedgerError, match="lacks a charge that was made at this site"):
            use()
    for path, content in zip(paths, newer, strict=True):
        path.write_bytes(content)
    assert len(charges(config, state)) == 2


@pytest.mark.parametrize("left", [CHARGED, f"{WORKER}/run-1/{CHARGED}"])
def test_either_record_of_the_last_charge_shows_that_there_was_a_ledger(
    left: str, site: tuple[SiteConfig, SiteState]
) -> None:
    config, state = site
    ledger(config, state).charge("run-1", "training", 1.0)
    for path in [*state.folder.glob(f"{LEDGER}*"), *state.folder.rglob(CHARGED)]:
        if path != state.path(left):
            path.unlink()
    for look in (charges, budget, lambda *site: ledger(*site).spent()):
        with pytest.raises(LedgerError, match="lost"):
            look(config, state)
    assert not list(state.folder.glob(f"{LEDGER}*"))  # nor was one begun


def test_a_charge_that_cannot_be_kept_stands_and_nothing_is_drawn_for_it(
    site: tuple[SiteConfig, SiteState], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise RunError("the disk is full")

    book = ledger(*site)
    with monkeypatch.context() as patched:
        patched.setattr(SiteState, "write", refused)
        with pytest.raises(RunError, match="full"):
            book.charge("north", "statistics", 3.0)
    assert book.spent().epsilon == 3.0
    book.charge("north", "statistics", 1.0)
    assert book.spent().epsilon == 4.0
