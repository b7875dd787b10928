"""`install`: a newer kit over an older one, keys kept, whole or not at all; the wrong one is refused."""

from __future__ import annotations

import errno
import io
import os
import shutil
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kit_makers import DAY, NOW, accept, ask, contents, make

from deploy.kits.archive import read_archive, write_archive
from deploy.kits.install import install
from deploy.kits.verify import verify
from deploy.provision import Workplace, renew, revoke
from shared_model import files
from shared_model.errors import DataError, RunError


def handed_over(place: Workplace, name: str, to: Path) -> Path:
    """The kit as its member has it; where it was made, its keys are gone."""
    shutil.copytree(place.out / name, to)
    shutil.rmtree(place.out / name / "keys")
    return to


def test_a_renewal_keeps_the_keys_and_brings_the_certificate(place: Workplace, tmp_path: Path) -> None:
    kit = handed_over(place, "moema", tmp_path / "moema")
    before = contents(kit)
    later = Workplace(place.authority, place.signer, place.out, NOW + 60 * DAY)
    renew(later, ["moema"], new_keys=False)
    assert not (place.out / "moema" / "keys").exists()
    assert install(place.out / "moema", kit, NOW + 60 * DAY).changed
    after = contents(kit)
    assert {n: c for n, c in after.items() if n.startswith("keys/")} == {
        n: c for n, c in before.items() if n.startswith("keys/")
    }
    assert after["certificates/site.pem"] != before["certificates/site.pem"]
    assert verify(kit, NOW + 91 * DAY).exit_code == 0
    assert not install(place.out / "moema", kit, NOW + 60 * DAY).changed


def test_an_archive_into_an_empty_place_is_private(place: Workplace, tmp_path: Path) -> None:
    held = contents(place.out / "moema")
    write_archive(tmp_path / "moema.tar.gz", "moema", held)
    install(tmp_path / "moema.tar.gz", tmp_path / "site" / "kit", NOW)
    assert contents(tmp_path / "site" / "kit") == held
    assert verify(tmp_path / "site" / "kit", NOW).exit_code == 0


def test_the_wrong_kit_is_refused_and_the_installed_one_stays(place: Workplace, tmp_path: Path) -> None:
    kit = handed_over(place, "moema", tmp_path / "moema")
    other = make(tmp_path / "other")
    later = Workplace(place.authority, place.signer, place.out, NOW + DAY)
    old = shutil.copytree(place.out / "moema", tmp_path / "old")
    renew(later, ["moema"], new_keys=False)
    install(place.out / "moema", kit, NOW + DAY)
    stolen = shutil.copytree(place.out / "moema", tmp_path / "half")
    (stolen / "README.md").unlink()
    (tmp_path / "empty").mkdir()
    before = contents(kit)
    for source, words in (
        (other.out / "moema", "kit for another federation"),
        (place.out / "santos", "this is santos's kit"),
        (old, "older than the one that is installed"),
        (stolen, "README.md|a file is missing"),
        (tmp_path / "empty", r"no manifest\.json"),
        (tmp_path / "none.tar.gz", "cannot be read"),
    ):
        with pytest.raises(DataError, match=words) as error:
            install(source, kit, NOW + DAY)
        assert error.value.fix
        assert contents(kit) == before


def test_a_certificate_without_its_key_is_refused(place: Workplace, tmp_path: Path) -> None:
    kit = handed_over(place, "moema", tmp_path / "moema")
    later = Workplace(place.authority, place.signer, place.out, NOW)
    renew(later, ["moema"], new_keys=True)
    shutil.rmtree(place.out / "moema" / "keys")
    with pytest.raises(DataError, match="neither in it nor here"):
        install(place.out / "moema", kit, NOW)
    assert verify(kit, NOW).exit_code == 0


def test_a_clock_that_is_off_is_said(place: Workplace, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not valid before") as error:
        install(place.out / "moema", tmp_path / "kit", NOW - DAY)
    assert "clock" in error.value.fix
    with pytest.raises(DataError, match="expired"):
        install(place.out / "moema", tmp_path / "kit", NOW + 91 * DAY)
    assert not (tmp_path / "kit").exists()


@pytest.mark.parametrize("fails_at", range(0, 8))
def test_a_full_disk_leaves_the_installed_kit(
    place: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    kit = handed_over(place, "moema", tmp_path / "moema")
    renew(Workplace(place.authority, place.signer, place.out, NOW), ["moema"], new_keys=False)
    before = contents(kit)
    calls = iter(range(1000))

    def full(handle: int) -> None:
        if next(calls) >= fails_at:
            raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(RunError, match="disk is full"):
        install(place.out / "moema", kit, NOW)
    assert contents(kit) == before


@pytest.mark.parametrize("fails_at", range(0, 13))
def test_an_interruption_is_seen_by_verify_and_mended_by_the_same_command(
    place: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    """A kill at every single move of a file into its place, with keys that waited for their certificate."""
    kit = shutil.copytree(place.out / "moema", tmp_path / "moema")
    accept(place, ask(kit, tmp_path / "request.json", new_keys=True), replace=True)
    shutil.rmtree(place.out / "moema" / "keys")
    whole, calls = os.replace, iter(range(1000))

    def killed(origin: Path, to: Path) -> None:
        staging = Path(origin).name.startswith(".")
        if Path(origin).is_relative_to(kit) and not staging and next(calls) >= fails_at:
            raise KeyboardInterrupt
        whole(origin, to)

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        install(place.out / "moema", kit, NOW)
    monkeypatch.undo()
    assert "interrupted" in str(verify(kit, NOW).findings)
    install(place.out / "moema", kit, NOW)
    assert verify(kit, NOW).exit_code == 0
    assert not (kit / ".incoming").exists()


def packed(path: Path, entries: list[tarfile.TarInfo]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for entry in entries:
            archive.addfile(entry, io.BytesIO(b"x" * entry.size) if entry.isfile() else None)
    return path


def test_an_archive_that_reaches_outside_is_refused(tmp_path: Path) -> None:
    link, outside, device, large = (tarfile.TarInfo(f"moema/{n}") for n in ("l", "../../x", "d", "large"))
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    device.type = tarfile.CHRTYPE
    large.size = 5 * 2**20
    for entry in (link, outside, device, large):
        with pytest.raises(DataError, match="no kit, or not a whole one"):
            read_archive(packed(tmp_path / "bad.tar.gz", [entry]))
    assert not (tmp_path / "x").exists()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_a_damaged_archive_is_refused_or_the_same(
    place: Workplace, tmp_path: Path, data: st.DataObject
) -> None:
    path = tmp_path / "moema.tar.gz"
    held = contents(place.out / "moema")
    write_archive(path, "moema", held)
    content = bytearray(path.read_bytes())
    cut = data.draw(st.booleans())
    position = data.draw(st.integers(0, len(content) - 1))
    if cut:
        del content[position:]
    else:
        content[position] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    target = tmp_path / "target"
    shutil.rmtree(target, ignore_errors=True)
    try:
        install(path, target, NOW)
    except DataError:
        assert not target.exists()
    else:
        assert contents(target) == held


def test_a_revocation_is_installed_at_the_coordinator(place: Workplace, tmp_path: Path) -> None:
    kit = handed_over(place, "coordinator", tmp_path / "coordinator")
    revoke(place, "moema")
    install(place.out / "coordinator", kit, NOW)
    assert verify(kit, NOW).exit_code == 0
    assert not (kit / "nodes" / "moema.pub").exists()
    assert "moema" not in (kit / "roster.json").read_text() + (kit / "front/sites.map").read_text()
