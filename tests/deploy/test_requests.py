"""Requests: private keys stay at the site, and nobody is certified for what they do not hold or are not."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kit_makers import FEDERATION, NOW, accept, ask, contents, make

from deploy.kits.install import install
from deploy.kits.verify import verify
from deploy.pki.keys import new_key, public_openssh, read_node_key
from deploy.pki.requests import Request, checked, make_request, read_request, to_bytes
from deploy.provision import Workplace, revoke
from shared_model.errors import DataError


def own(place: Workplace, name: str = "own-keys") -> Request:
    return make_request("retina-test", place.authority.fingerprint, name, new_key(), new_key())


def test_from_request_to_a_good_kit(place: Workplace, tmp_path: Path) -> None:
    kit, file = place.out / "own-keys", tmp_path / "own-keys.request.json"
    request = ask(kit, file)
    pending = contents(kit / "keys/pending")
    assert set(pending) == {"site.key", "node.key", "loopback.key", "loopback.pem"}
    assert all((kit / "keys/pending" / name).stat().st_mode & 0o777 == 0o600 for name in pending)
    assert all(key not in file.read_bytes() for key in pending.values())
    assert "PRIVATE" not in file.read_text()
    accept(place, request)
    assert "own-keys" in (place.out / "coordinator/roster.json").read_text()
    assert install(kit, kit, NOW).changed
    assert contents(kit / "keys") == pending
    assert verify(kit, NOW).exit_code == 0
    assert verify(place.out / "coordinator", NOW).exit_code == 0


def test_asked_again_it_is_the_same_keys_and_the_same_fingerprint(place: Workplace, tmp_path: Path) -> None:
    first, second = (ask(place.out / "own-keys", tmp_path / f"{n}.json") for n in (1, 2))
    assert checked(first, "").fingerprint == checked(second, "").fingerprint


def test_the_coordinator_can_make_its_own_key(tmp_path: Path) -> None:
    place = make(tmp_path, FEDERATION.replace("  port: 18443", "  port: 18443\n  keys: machine"))
    kit = place.out / "coordinator"
    assert not (kit / "keys").exists()
    accept(place, ask(kit, tmp_path / "request.json"))
    install(kit, kit, NOW)
    assert verify(kit, NOW).exit_code == 0


def test_a_kit_that_has_its_certificate_needs_no_request(place: Workplace, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing to ask for") as error:
        ask(place.out / "moema", tmp_path / "request.json")
    assert "--new-keys" in error.value.fix
    assert not (tmp_path / "request.json").exists()


def test_new_keys_replace_the_old_ones_only_when_that_is_said(place: Workplace, tmp_path: Path) -> None:
    kit = place.out / "moema"
    before = contents(kit / "keys")
    request = ask(kit, tmp_path / "request.json", new_keys=True)
    assert verify(kit, NOW).exit_code == 0  # the old keys go on working meanwhile
    with pytest.raises(DataError, match="has a certificate on other keys") as error:
        accept(place, request)
    assert "--replace" in error.value.fix
    accept(place, request, replace=True)
    install(kit, kit, NOW)
    after = contents(kit / "keys")
    assert set(after) == {"site.key", "node.key", "loopback.key", "loopback.pem"}
    assert not set(after.values()) & set(before.values())
    assert verify(kit, NOW).exit_code == 0


def test_a_revoked_site_comes_back_with_new_keys_only(place: Workplace, tmp_path: Path) -> None:
    kit = place.out / "own-keys"
    request = ask(kit, tmp_path / "1.json")
    accept(place, request)
    install(kit, kit, NOW)
    revoke(place, "own-keys")
    with pytest.raises(DataError, match="certified before"):
        accept(place, request)
    accept(place, ask(kit, tmp_path / "2.json", new_keys=True))
    install(kit, kit, NOW)
    assert verify(kit, NOW).exit_code == 0
    assert "own-keys" in (place.out / "coordinator/roster.json").read_text()


@pytest.mark.parametrize(
    "case", ["authority", "stranger", "no node key", "anothers node key", "anothers key"]
)
def test_what_does_not_belong_here_is_refused_and_nothing_changes(place: Workplace, case: str) -> None:
    key, node = new_key(), new_key()
    ours = place.authority.fingerprint
    moema = place.out / "moema/keys"
    from deploy.pki.keys import read_private

    request, words = {
        "authority": (make_request("retina-test", "0" * 64, "own-keys", key, node), "another federation"),
        "stranger": (
            make_request("retina-test", ours, "nobody", key, node),
            "nobody is not in this federation",
        ),
        "no node key": (make_request("retina-test", ours, "own-keys", key, None), "holds a node key"),
        "anothers node key": (
            make_request(
                "retina-test", ours, "own-keys", key, read_private((moema / "node.key").read_bytes(), "")
            ),
            "node key is moema's",
        ),
        "anothers key": (
            make_request(
                "retina-test", ours, "own-keys", read_private((moema / "site.key").read_bytes(), ""), node
            ),
            "certified before",
        ),
    }[case]
    before = contents(place.out.parent)
    with pytest.raises(DataError, match=words) as error:
        accept(place, request)
    assert error.value.fix
    assert error.value.exit_code == 2
    assert contents(place.out.parent) == before


def test_a_request_for_another_sites_name_is_refused(place: Workplace) -> None:
    request = own(place).model_copy(update={"name": "moema"})
    with pytest.raises(DataError, match="says it is for moema"):
        accept(place, request, replace=True)


def test_a_request_whose_signature_does_not_fit_is_refused(place: Workplace) -> None:
    request = own(place)
    body = base64.b64decode("".join(request.request.splitlines()[1:-1]))
    for place_in_file in (len(body) - 1, len(body) - 40):  # in the signature
        altered = bytearray(body)
        altered[place_in_file] ^= 1
        pem = "\n".join(
            [
                "-----BEGIN CERTIFICATE REQUEST-----",
                base64.b64encode(altered).decode(),
                "-----END CERTIFICATE REQUEST-----",
                "",
            ]
        )
        with pytest.raises(DataError, match=r"signature does not fit|cut short or altered"):
            accept(place, request.model_copy(update={"request": pem}))


def test_a_node_key_that_the_sender_does_not_hold_is_refused(place: Workplace) -> None:
    request, other = own(place), own(place)
    mixed = request.model_copy(update={"node_key": other.node_key, "node_signature": other.node_signature})
    for altered in (
        mixed,
        request.model_copy(update={"node_key": public_openssh(new_key().public_key(), "x")}),
        request.model_copy(update={"node_signature": "not base64"}),
        request.model_copy(update={"node_signature": None}),
    ):
        with pytest.raises(DataError, match="node key's signature does not fit"):
            accept(place, altered)


def test_a_request_that_is_cut_short_is_refused(place: Workplace) -> None:
    request = own(place)
    short = request.model_copy(update={"request": request.request[:200]})
    with pytest.raises(DataError, match="cut short"):
        accept(place, short)
    with pytest.raises(DataError, match="not a whole one"):
        read_request(to_bytes(request)[:-100], "request.json")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_one_changed_character_is_never_certified_as_something_else(
    untouched: Workplace, data: st.DataObject
) -> None:
    """Whatever byte of a request is altered: refused, or it proves the very same keys."""
    request = _fixed(untouched)
    content = bytearray(to_bytes(request))
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] = data.draw(st.integers(32, 126))
    try:
        proven = checked(read_request(bytes(content), ""), "")
    except DataError:
        return
    if proven.name == request.name:
        original = checked(request, "")
        assert proven.public_key == original.public_key
        assert proven.node_key == original.node_key


def test_a_node_key_that_claims_a_compressed_point_is_refused_in_words(place: Workplace) -> None:
    kind, encoded = (own(place).node_key or "").split()[:2]
    raw = bytearray(base64.b64decode(encoded))
    raw[-97] = 2  # the point's first byte, 4 where it is whole
    with pytest.raises(DataError, match="no public key on P-384"):
        read_node_key(f"{kind} {base64.b64encode(bytes(raw)).decode()}", "request.json")


_made: list[Request] = []


def _fixed(place: Workplace) -> Request:
    if not _made:
        _made.append(own(place))
    return _made[0]


@given(
    st.one_of(
        st.binary(max_size=100), st.recursive(st.none() | st.text(max_size=5), st.lists).map(json.dumps)
    )
)
def test_no_file_ends_in_anything_but_a_message(content: bytes | str) -> None:
    with pytest.raises(DataError, match="no request"):
        read_request(content.encode() if isinstance(content, str) else content, "request.json")
