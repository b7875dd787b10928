"""Renewal is one site's business; revocation is the coordinator's; the register remembers both."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from kit_makers import DAY, FEDERATION, NOW, accept, ask, contents, make, reopened

from deploy.kits.verify import verify
from deploy.listing import listing
from deploy.provision import Workplace, renew, revoke
from shared_model.errors import DataError


def at(place: Workplace, days: int) -> Workplace:
    return reopened(place, NOW + days * DAY)


def certificate(kit: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((kit / "certificates/site.pem").read_bytes())


def revoked(kit: Path) -> set[int]:
    found = x509.load_pem_x509_crl((kit / "certificates/revoked.pem").read_bytes())
    return {entry.serial_number for entry in found}


def test_a_renewal_touches_one_kit_and_no_other_byte(place: Workplace) -> None:
    before = contents(place.out)
    old = certificate(place.out / "moema")
    outcome = renew(at(place, 60), ["moema"], new_keys=False)
    assert outcome.written == ["moema"]
    after = contents(place.out)
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {"moema/certificates/site.pem", "moema/manifest.json", "moema/manifest.sig"}
    assert set(after) == set(before)
    new = certificate(place.out / "moema")
    assert new.public_key() == old.public_key()
    assert new.not_valid_after_utc - old.not_valid_after_utc == 60 * DAY
    assert verify(place.out / "moema", NOW + 100 * DAY).exit_code == 0


def test_a_site_with_its_own_keys_is_renewed_without_asking_it(place: Workplace, tmp_path: Path) -> None:
    accept(place, ask(place.out / "own-keys", tmp_path / "request.json"))
    before = certificate(place.out / "own-keys")
    renew(at(place, 30), ["own-keys"], new_keys=False)
    assert certificate(place.out / "own-keys").public_key() == before.public_key()


def test_new_keys_revoke_the_old_ones_and_reach_the_coordinator(place: Workplace) -> None:
    before, old = contents(place.out), certificate(place.out / "moema").serial_number
    outcome = renew(place, ["moema"], new_keys=True)
    assert sorted(outcome.written) == ["coordinator", "moema"]
    after = contents(place.out)
    assert after["moema/keys/site.key"] != before["moema/keys/site.key"]
    assert after["moema/keys/node.key"] != before["moema/keys/node.key"]
    assert after["coordinator/nodes/moema.pub"] != before["coordinator/nodes/moema.pub"]
    assert revoked(place.out / "coordinator") == {old}
    assert all(verify(place.out / name, NOW).exit_code == 0 for name in ("coordinator", "moema", "santos"))


def test_a_revocation_holds_every_certificate_of_the_site_and_takes_it_off_the_roster(
    place: Workplace,
) -> None:
    first = certificate(place.out / "moema").serial_number
    renew(place, ["moema"], new_keys=False)
    second = certificate(place.out / "moema").serial_number
    before = contents(place.out)
    outcome = revoke(reopened(place), "moema")
    assert outcome.written == ["coordinator"]
    after = contents(place.out)
    assert {n for n in after if after[n] != before.get(n)} == {
        "coordinator/certificates/revoked.pem",
        "coordinator/front/sites.map",
        "coordinator/manifest.json",
        "coordinator/manifest.sig",
        "coordinator/roster.json",
    }
    assert set(before) - set(after) == {"coordinator/nodes/moema.pub"}
    assert revoked(place.out / "coordinator") == {first, second}
    assert verify(place.out / "coordinator", NOW).exit_code == 0
    again = reopened(place)
    renew(again, ["santos"], new_keys=False)
    revoke(again, "santos")
    assert {first, second} < revoked(place.out / "coordinator")  # nobody leaves the list


def test_the_list_of_revoked_certificates_never_runs_out_before_the_authority(untouched: Workplace) -> None:
    found = x509.load_pem_x509_crl((untouched.out / "coordinator/certificates/revoked.pem").read_bytes())
    assert found.next_update_utc == untouched.authority.certificate.not_valid_after_utc


@pytest.mark.parametrize(
    ("name", "new_keys", "words"),
    [
        ("own-keys", False, "no certificate to renew"),
        ("own-keys", True, "makes its own keys"),
        ("nobody", False, "not in this federation"),
    ],
)
def test_what_cannot_be_renewed_is_said(place: Workplace, name: str, new_keys: bool, words: str) -> None:
    before = contents(place.out.parent)
    with pytest.raises(DataError, match=words) as error:
        renew(place, ["moema", name], new_keys=new_keys)
    assert error.value.fix
    assert contents(place.out.parent) == before


def test_a_revoked_site_is_not_renewed_but_can_be_given_new_keys(place: Workplace) -> None:
    revoke(place, "moema")
    with pytest.raises(DataError, match="it was revoked"):
        renew(place, ["moema"], new_keys=False)
    with pytest.raises(DataError, match="nothing to revoke"):
        revoke(place, "moema")
    renew(place, ["moema"], new_keys=True)
    assert verify(place.out / "moema", NOW).exit_code == 0
    assert "moema" in (place.out / "coordinator/roster.json").read_text()


def test_no_certificate_outlives_the_authority_and_none_is_signed_after_it(tmp_path: Path) -> None:
    place = make(tmp_path, FEDERATION + "lifetimes: {site: 90, coordinator: 90, authority: 100}\n")
    renew(at(place, 50), ["moema"], new_keys=False)
    assert certificate(place.out / "moema").not_valid_after_utc == NOW + 100 * DAY
    for days in (101, -1):
        with pytest.raises(DataError, match="authority's certificate is not valid now") as error:
            renew(at(place, days), ["moema"], new_keys=False)
        assert "clock" in error.value.fix


def test_the_list_of_members_says_what_must_be_done_weeks_ahead(place: Workplace) -> None:
    today = listing(place.authority, NOW)
    assert today.exit_code == 0
    assert {row.name: row.state for row in today.rows} == {
        "coordinator": "valid",
        "moema": "valid",
        "santos": "valid",
        "own-keys": "waits for its request",
    }
    assert {row.days for row in today.rows} == {90, None}
    soon = listing(place.authority, NOW + 70 * DAY)
    assert soon.exit_code == 1
    assert [row.state for row in soon.rows][:3] == ["expires soon"] * 3
    assert [row.state for row in listing(place.authority, NOW + 91 * DAY).rows][:3] == ["expired"] * 3
    assert listing(place.authority, NOW - DAY).rows[0].state == "not valid yet"
    revoke(place, "moema")
    assert listing(place.authority, NOW).rows[1].state == "revoked"
