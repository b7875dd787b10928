from __future__ import annotations

from pathlib import Path

import pytest

from client.rights.purge import listing, purge
from client.site.contents import IMAGES
from client.site.state import SiteState
from client.vault.key import create_key
from shared_model.errors import DataError, RunError
from tests.client.rights.conftest import Site


def everything(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_listing_names_every_file_with_the_key_last_and_changes_nothing(site: Site) -> None:
    before = everything(site.folder)
    kept = listing(site.folder, site.key)
    sealed = site.state.vault is not None
    named = {path for path in before if path.name != "lock"} | ({site.key} if sealed else set())
    assert {item.path for item in kept} == named
    assert len(kept) == len(named)
    assert kept[0].patient_data
    assert kept[-1].path == (site.key if sealed else site.folder / "salt")
    assert everything(site.folder) == before


def test_purge_leaves_an_empty_folder_and_no_key_and_nothing_elsewhere_is_touched(site: Site) -> None:
    source = site.folder.parent / "site"
    before = everything(source)
    assert before
    purged = purge(site.folder, site.key)
    assert list(site.folder.iterdir()) == []
    assert not site.key.exists()
    assert purged.left == ()
    assert everything(source) == before
    assert listing(site.folder, site.key) == []
    assert purge(site.folder, site.key).removed == 0


def test_a_copy_of_the_sealed_folder_cannot_be_read_afterwards(site: Site) -> None:
    copy = everything(site.folder)
    purge(site.folder, site.key)
    for path, content in copy.items():
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(content)
    if site.state.vault is not None:
        with pytest.raises(DataError, match="site key is missing"):
            SiteState.open(site.folder, site.key)


def test_what_fedfundus_did_not_make_is_left_and_named(site: Site) -> None:
    (site.folder / "thesis.docx").write_text("mine")
    (site.folder / "worker" / "notes.txt").write_text("mine")
    purged = purge(site.folder, site.key)
    assert {path.name for path in everything(site.folder)} == {"thesis.docx", "notes.txt"}
    assert purged.left == (
        f"{site.folder / 'thesis.docx'}: not made by FedFundus",
        f"{site.folder / 'worker'}: not made by FedFundus",
    )


def test_links_are_removed_and_what_they_lead_to_is_not(site: Site, tmp_path: Path) -> None:
    (tmp_path / "big").mkdir()
    (tmp_path / "big" / "data.npy").write_bytes(b"somebody's")
    (tmp_path / "big" / "local.safetensors").write_bytes(b"somebody's")
    site.state.remove(IMAGES)
    (site.folder / IMAGES).symlink_to(tmp_path / "big" / "data.npy")
    (site.folder / "worker" / "run-9").symlink_to(tmp_path / "big")
    purge(site.folder, site.key)
    assert len(everything(tmp_path / "big")) == 2
    assert not (site.folder / IMAGES).is_symlink()


def test_a_file_given_as_key_that_is_none_is_left_alone(site: Site, tmp_path: Path) -> None:
    wrong = tmp_path / "passwords.txt"
    wrong.write_text("mine")
    purge(site.folder, wrong)
    assert wrong.read_text() == "mine"
    assert list(site.folder.iterdir()) == []


def test_a_site_that_lost_its_key_can_be_purged_and_begun_again(site: Site) -> None:
    site.key.unlink(missing_ok=True)
    purge(site.folder, site.key)
    SiteState.open(site.folder, site.key)


def test_a_key_inside_the_folder_goes_too_and_last(tmp_path: Path) -> None:
    state = SiteState.open(tmp_path / "state", tmp_path / "state" / "site.key")
    state.write("excluded", b"{}")
    assert [item.path.name for item in listing(state.folder, state.folder / "site.key")] == [
        "excluded",
        "salt",
        "site.key",
    ]
    purge(state.folder, state.folder / "site.key")
    assert list(state.folder.iterdir()) == []


def test_a_purge_that_is_interrupted_has_the_key_to_the_end(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    if site.state.vault is None:
        pytest.skip("kept plain: there is no key")
    unlink = Path.unlink

    def stops(path: Path, missing_ok: bool = False) -> None:
        if path.name == "salt":
            raise KeyboardInterrupt
        unlink(path, missing_ok=missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", stops)
        with pytest.raises(KeyboardInterrupt):
            purge(site.folder, site.key)
    assert site.key.exists()
    purge(site.folder, site.key)
    assert list(site.folder.iterdir()) == []


def test_what_cannot_be_removed_is_named_and_the_rest_goes(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink = Path.unlink

    def refused(path: Path, missing_ok: bool = False) -> None:
        if path.name == IMAGES:
            raise PermissionError(1, "Operation not permitted")
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", refused)
    purged = purge(site.folder, site.key)
    assert purged.left[0].startswith(f"{site.folder / IMAGES}: Operation not permitted")
    assert [path.name for path in site.folder.iterdir()] == [IMAGES]
    assert not site.key.exists()


def test_purge_waits_for_no_one(site: Site) -> None:
    with site.state.lock("check"), pytest.raises(RunError, match="check, process"):
        purge(site.folder, site.key)
    assert site.state.read("ledger") is not None


def test_a_key_that_a_link_leads_to_is_destroyed_with_the_link(tmp_path: Path) -> None:
    create_key(tmp_path / "real.key")
    (tmp_path / "link.key").symlink_to(tmp_path / "real.key")
    SiteState.open(tmp_path / "state", tmp_path / "link.key")
    purge(tmp_path / "state", tmp_path / "link.key")
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
