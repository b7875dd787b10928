"""`new`: kits that are whole, private, and without the authority's key; again, only for what is new."""

from __future__ import annotations

import base64
import errno
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from kit_makers import FEDERATION, NOW, contents, federation, make, reopened

from deploy.authority.authority import Authority
from deploy.kits.archive import read_archive
from deploy.kits.verify import verify
from deploy.provision import Workplace, new_federation, revoke
from shared_model import files
from shared_model.errors import ConfigError, DataError, RunError


def test_every_kit_with_keys_is_good_at_once(untouched: Workplace) -> None:
    for name in ("coordinator", "moema", "santos"):
        result = verify(untouched.out / name, NOW)
        assert result.exit_code == 0, result.findings
        assert (result.name, result.federation) == (name, "retina-test")
        assert result.authority == untouched.authority.fingerprint


def test_a_site_that_makes_its_own_keys_gets_none_and_is_not_on_the_roster(untouched: Workplace) -> None:
    kit = untouched.out / "own-keys"
    assert not (kit / "keys").exists()
    assert verify(kit, NOW).exit_code == 2
    assert "own-keys" not in (untouched.out / "coordinator" / "roster.json").read_text()
    assert "Your keys are made here" in (kit / "README.md").read_text()
    assert "Your keys are made here" not in (untouched.out / "moema" / "README.md").read_text()


def test_folders_are_0700_and_files_0600(untouched: Workplace) -> None:
    for folder in (untouched.out, untouched.authority.folder):
        for path in [folder, *folder.rglob("*")]:
            assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_the_authoritys_key_is_in_no_kit_however_it_is_written(untouched: Workplace) -> None:
    key = untouched.signer.key
    number = key.private_numbers().private_value.to_bytes(48, "big")
    der = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    written = (untouched.authority.folder / "authority.key").read_bytes()
    lines = [line for line in written.splitlines() if len(line) > 40][2:]
    # base64 of the number at each of its three alignments, without the characters that its neighbours change
    encoded = [base64.b64encode(b"\0" * shift + number)[4:60] for shift in range(3)]
    searched = [number, number.hex().encode(), number.hex().upper().encode(), der, *lines, *encoded]
    kits = contents(untouched.out)
    assert len(kits) > 25
    for path, content in kits.items():
        for secret in searched:
            assert secret not in content, path
    found = contents(untouched.authority.folder)["authority.key"]
    assert any(secret in found for secret in searched)  # the search finds it where it is


def test_no_kit_holds_anothers_key(untouched: Workplace) -> None:
    kits = contents(untouched.out)
    keys = {path: content for path, content in kits.items() if "/keys/" in path}
    assert len(keys) == 3 + 4 + 4
    for path, key in keys.items():
        assert [other for other, content in kits.items() if content == key] == [path]


def test_again_changes_nothing(place: Workplace) -> None:
    before = contents(place.out)
    assert new_federation(place, federation()).written == []
    assert contents(place.out) == before


def test_again_with_one_site_more_touches_the_new_one_and_the_coordinator(place: Workplace) -> None:
    before = contents(place.out)
    outcome = new_federation(place, federation(FEDERATION + "  - name: campinas\n"))
    assert sorted(outcome.written) == ["campinas", "coordinator"]
    after = contents(place.out)
    for name in ("moema", "santos", "own-keys"):
        assert {p: c for p, c in after.items() if p.startswith(f"{name}/")} == {
            p: c for p, c in before.items() if p.startswith(f"{name}/")
        }
    assert before["coordinator/keys/coordinator.key"] == after["coordinator/keys/coordinator.key"]
    assert "campinas" in after["coordinator/roster.json"].decode()
    assert verify(place.out / "coordinator", NOW).exit_code == 0
    assert verify(place.out / "campinas", NOW).exit_code == 0


def test_again_after_the_kits_were_handed_over_writes_none_without_its_keys(place: Workplace) -> None:
    for path in sorted((place.out / "moema").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (place.out / "moema").rmdir()
    outcome = new_federation(place, federation())
    assert outcome.written == []
    assert any(notice.startswith("moema: not written") for notice in outcome.notices)


def test_again_with_another_port_changes_everybodys_kit_and_no_key(place: Workplace) -> None:
    before = contents(place.out)
    revoke(place, "santos")
    outcome = new_federation(place, federation(FEDERATION.replace("18443", "18444")))
    assert sorted(outcome.written) == ["coordinator", "moema", "own-keys"]  # not to who was shut out
    after = contents(place.out)
    assert all(
        after[name] == before[name] for name in before if "/keys/" in name or name.endswith("site.pem")
    )
    assert b"server localhost:18444;" in after["moema/proxy/nginx.conf"]
    assert verify(place.out / "moema", NOW).exit_code == 0


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("retina-test", "other", "the authority is retina-test's"),
        ("127.0.0.1", "127.0.0.2", "certifies localhost, 127.0.0.1 and no other"),
        ("  - name: santos\n", "", "no longer names santos"),
    ],
)
def test_another_federation_is_refused(place: Workplace, old: str, new: str, words: str) -> None:
    before = contents(place.out.parent)
    with pytest.raises(ConfigError, match=words):
        new_federation(place, federation(FEDERATION.replace(old, new)))
    assert contents(place.out.parent) == before


def test_a_folder_that_is_taken_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "kits" / "moema").mkdir(parents=True)
    (tmp_path / "kits" / "moema" / "thesis.txt").write_text("my thesis")
    with pytest.raises(DataError, match="holds something else"):
        make(tmp_path)
    assert set(contents(tmp_path)) == {"kits/moema/thesis.txt"}
    (tmp_path / "authority").mkdir()
    (tmp_path / "authority" / "authority.key").write_text("a key whose register was lost")
    with pytest.raises(DataError, match="taken"):
        make(tmp_path)
    assert (tmp_path / "authority" / "authority.key").read_text() == "a key whose register was lost"


def test_kits_of_another_authority_are_not_overwritten(place: Workplace, tmp_path: Path) -> None:
    described = federation()
    authority, signer = Authority.create(tmp_path / "second", described, None, NOW)
    before = contents(place.out)
    with pytest.raises(DataError, match="another federation or member"):
        new_federation(Workplace(authority, signer, place.out, NOW), described)
    assert contents(place.out) == before
    assert not (tmp_path / "second").exists()


@pytest.mark.parametrize("survives", [0, 1, 5, 20, 32])
def test_a_full_disk_leaves_no_kit_and_no_authority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, survives: int
) -> None:
    left = survives
    whole = os.fsync

    def full(handle: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, "no space")
        whole(handle)

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(RunError, match="disk is full"):
        make(tmp_path)
    assert contents(tmp_path) == {}
    monkeypatch.undo()
    make(tmp_path)
    assert verify(tmp_path / "kits" / "moema", NOW).exit_code == 0


def test_a_full_disk_leaves_an_existing_federation_as_it_was(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(place.out.parent)
    calls = iter(range(1000))

    def full(handle: int) -> None:
        if next(calls) > 15:
            raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(RunError, match="disk is full"):
        new_federation(place, federation(FEDERATION + "  - name: campinas\n"))
    assert contents(place.out.parent) == before
    monkeypatch.undo()
    new_federation(reopened(place), federation(FEDERATION + "  - name: campinas\n"))
    assert verify(place.out / "campinas", NOW).exit_code == 0


def test_an_archive_holds_the_kit_and_unpacks_private(tmp_path: Path) -> None:
    described = federation()
    authority, signer = Authority.create(tmp_path / "authority", described, None, NOW)
    new_federation(Workplace(authority, signer, tmp_path / "kits", NOW, archive=True), described)
    packed = tmp_path / "kits" / "moema.tar.gz"
    assert packed.stat().st_mode & 0o777 == 0o600
    with tarfile.open(packed) as archive:
        assert all(entry.mode == (0o700 if entry.isdir() else 0o600) for entry in archive)
    (tmp_path / "unpacked").mkdir()
    subprocess.run(["tar", "-xzf", packed, "-C", tmp_path / "unpacked"], check=True)
    assert contents(tmp_path / "unpacked" / "moema") == contents(tmp_path / "kits" / "moema")
    read = read_archive(packed)
    assert {**read.files, **read.keys} == contents(tmp_path / "kits" / "moema")
    assert verify(tmp_path / "unpacked" / "moema", NOW).exit_code == 0


def test_what_yaml_says_is_what_the_kit_says(untouched: Workplace) -> None:
    said = yaml.safe_load(FEDERATION)
    settings = (untouched.out / "moema" / "kit.toml").read_text()
    assert f"port = {said['coordinator']['port']}" in settings
    assert all(host in settings for host in said["coordinator"]["hosts"])
    assert untouched.authority.fingerprint in settings
