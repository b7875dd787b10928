"""`verify`: whatever is wrong with a kit is found, named and given a fix; nothing else is."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kit_makers import DAY, NOW, contents, make

from deploy.kits.findings import Finding
from deploy.kits.verify import verify
from deploy.provision import Workplace, revoke
from shared_model.errors import DataError


def problems(kit: Path, now: object = NOW, **expected: str) -> list[Finding]:
    result = verify(kit, now, **expected)  # type: ignore[arg-type]
    found = [finding for finding in result.findings if finding.level != "ok"]
    assert all(finding.problem and finding.fix for finding in found)
    assert (result.exit_code == 0) == (not found)
    return found


def words(found: list[Finding]) -> str:
    return "\n".join(
        f"{finding.check}: {finding.where}: {finding.problem}: {finding.fix}" for finding in found
    )


def test_every_altered_or_missing_file_is_found_by_name(place: Workplace) -> None:
    kit = place.out / "coordinator"
    for name, content in contents(kit).items():
        if name in ("manifest.json", "manifest.sig", "certificates/authority.pem") or name.startswith(
            "keys/"
        ):
            continue
        (kit / name).write_bytes(content + b"\n")
        assert f"{name}: altered" in words(problems(kit))
        (kit / name).unlink()
        assert f"{name}: missing" in words(problems(kit))
        (kit / name).write_bytes(content)
        (kit / name).chmod(0o600)
    assert problems(kit) == []


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_no_byte_of_a_kit_can_be_changed_unnoticed(place: Workplace, data: st.DataObject) -> None:
    kit = place.out / "moema"
    files = contents(kit)
    name = data.draw(st.sampled_from(sorted(files)))
    position = data.draw(st.integers(0, len(files[name]) - 1))
    altered = bytearray(files[name])
    altered[position] ^= data.draw(st.integers(1, 255))
    (kit / name).write_bytes(altered)
    try:
        harmless = name.startswith("keys/") or name.endswith(".sig")  # line breaks of a key or of base64
        result = verify(kit, NOW)
        assert result.exit_code == 2 or harmless, name
    finally:
        (kit / name).write_bytes(files[name])


@pytest.mark.parametrize("name", ["manifest.sig", "certificates/authority.pem", "manifest.json"])
def test_a_kit_without_its_manifest_or_authority_is_not_whole(place: Workplace, name: str) -> None:
    kit = place.out / "moema"
    (kit / name).unlink()
    if name == "manifest.json":
        with pytest.raises(DataError, match=r"no manifest.json"):
            verify(kit, NOW)
    else:
        assert f"{name} is missing" in words(problems(kit))


def test_a_file_that_was_added_is_found(place: Workplace) -> None:
    kit = place.out / "moema"
    (kit / "proxy" / "extra.conf").write_text("server {}")
    assert "proxy/extra.conf: not in the manifest" in words(problems(kit))
    (kit / "proxy" / "extra.conf").unlink()
    (kit / "README.md").rename(kit / "elsewhere")
    (kit / "README.md").symlink_to(kit / "elsewhere")
    assert "README.md: not a plain file" in words(problems(kit))


def test_a_truncated_certificate_and_key_are_named(place: Workplace) -> None:
    kit = place.out / "moema"
    for name in ("certificates/site.pem", "keys/site.key", "keys/node.key", "keys/loopback.pem"):
        content = (kit / name).read_bytes()
        (kit / name).write_bytes(content[: len(content) // 2])
        found = words(problems(kit))
        assert name in found
        assert "cut short" in found
        (kit / name).write_bytes(content)
    assert problems(kit) == []


@pytest.mark.parametrize(
    ("name", "mode", "words_of"),
    [
        ("keys/site.key", 0o640, "others than its owner can read this key (mode 0640)"),
        ("keys/node.key", 0o604, "others than its owner can read this key (mode 0604)"),
        (".", 0o750, "others can enter this folder (mode 0750)"),
        ("keys", 0o755, "others can enter this folder (mode 0755)"),
    ],
)
def test_what_others_can_read_is_found(place: Workplace, name: str, mode: int, words_of: str) -> None:
    path = place.out / "moema" / name
    path.chmod(mode)
    found = words(problems(place.out / "moema"))
    assert words_of in found
    assert "chmod" in found


def test_a_missing_or_foreign_key_is_found(place: Workplace) -> None:
    kit, other = place.out / "moema", place.out / "santos"
    for name in ("keys/site.key", "keys/node.key", "keys/loopback.key"):
        content = (kit / name).read_bytes()
        shutil.copy(other / name, kit / name)
        assert "not the one that was certified" in words(problems(kit))
        (kit / name).unlink()
        assert "the key is missing" in words(problems(kit))
        (kit / name).write_bytes(content)
        (kit / name).chmod(0o600)


def test_a_kit_of_another_authority_or_federation_is_found_by_what_the_caller_knows(
    untouched: Workplace, tmp_path: Path
) -> None:
    other = make(tmp_path)
    known = untouched.authority.fingerprint
    spelt = " ".join(known[i : i + 2].upper() for i in range(0, 64, 2)).replace(" ", ":")
    assert problems(untouched.out / "moema", expected=spelt, federation="retina-test") == []
    assert "another authority" in words(problems(other.out / "moema", expected=known))
    assert "for retina-test, not heart" in words(problems(untouched.out / "moema", federation="heart"))


def test_parts_of_two_kits_are_no_kit(place: Workplace, tmp_path: Path) -> None:
    theirs = make(tmp_path / "theirs").out / "moema"
    kit = place.out / "moema"
    shutil.copy(theirs / "certificates/authority.pem", kit / "certificates/authority.pem")
    assert "not signed by the kit's authority" in words(problems(kit))
    shutil.copy(theirs / "manifest.json", kit / "manifest.json")
    shutil.copy(theirs / "manifest.sig", kit / "manifest.sig")
    assert "certificates/site.pem: another authority signed it" in words(problems(kit))


def test_expiry_is_said_four_weeks_ahead_and_after(untouched: Workplace) -> None:
    kit = untouched.out / "moema"
    assert problems(kit, NOW + 61 * DAY) == []
    soon = verify(kit, NOW + 63 * DAY)
    assert soon.exit_code == 1
    assert "expires in 27 days" in words([f for f in soon.findings if f.level == "warning"])
    assert "expired on" in words(problems(kit, NOW + 91 * DAY))
    assert verify(kit, NOW + 91 * DAY).exit_code == 2


def test_a_clock_that_is_off_is_told_from_an_expired_certificate(untouched: Workplace) -> None:
    kit = untouched.out / "moema"
    assert problems(kit, NOW - timedelta(minutes=50)) == []  # an hour is allowed for
    found = words(problems(kit, NOW - DAY))
    assert "not valid before" in found
    assert "clock" in found
    assert "expired" not in found


def test_the_coordinators_own_revocation_is_seen_in_its_newer_kit(place: Workplace) -> None:
    kit = place.out / "coordinator"
    old = contents(kit)["certificates/coordinator.pem"]
    revoke(place, "coordinator")
    assert "no certificate yet, or no more" in words(problems(kit))
    (kit / "certificates/coordinator.pem").write_bytes(old)
    assert "this kit's own certificate is revoked" in words(problems(kit))
