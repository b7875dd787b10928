"""What the certificates are worth: real TLS on loopback, with Python's own ssl and the kit's files."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest
from kit_makers import DAY, FEDERATION, NOW, accept, ask, make

from deploy.kits.install import install
from deploy.provision import Workplace, renew, revoke


def server_side(kit: Path) -> ssl.SSLContext:
    """As the front demands it: a client certificate of our authority that is not on the list."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(kit / "certificates/coordinator.pem", kit / "keys/coordinator.key")
    context.load_verify_locations(kit / "certificates/authority.pem")
    context.load_verify_locations(kit / "certificates/revoked.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN | ssl.VERIFY_X509_STRICT
    return context


def client_side(kit: Path, trusted: Path | None = None, *, certificate: bool = True) -> ssl.SSLContext:
    """As the site's proxy does: our authority alone is believed, revoked servers are not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations((trusted or kit) / "certificates/authority.pem")
    context.load_verify_locations((trusted or kit) / "certificates/revoked.pem")
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN | ssl.VERIFY_X509_STRICT
    if certificate:
        context.load_cert_chain(kit / "certificates/site.pem", kit / "keys/site.key")
    return context


def connect(server: ssl.SSLContext, client: ssl.SSLContext, host: str = "localhost") -> dict[str, str]:
    """Shake hands; the server's view of the client's subject. Raises the side's ssl.SSLError that refused."""
    listener = socket.create_server(("127.0.0.1", 0))
    seen: list[object] = []

    def serve() -> None:
        connection, _ = listener.accept()
        connection.settimeout(10)
        try:
            with server.wrap_socket(connection, server_side=True) as secured:
                seen.append(secured.getpeercert())
                secured.sendall(b"welcome")
        except (ssl.SSLError, OSError) as error:
            seen.append(error)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with (
            socket.create_connection(listener.getsockname(), timeout=10) as connection,
            client.wrap_socket(connection, server_hostname=host) as secured,
        ):
            assert secured.recv(7) == b"welcome"
    except ssl.SSLCertVerificationError:
        raise
    except (ssl.SSLError, OSError, AssertionError):
        thread.join()
        if isinstance(seen[0], Exception):
            raise seen[0] from None
        raise
    finally:
        thread.join()
        listener.close()
    certificate = seen[0]
    assert isinstance(certificate, dict)
    return {key: value for part in certificate["subject"] for key, value in part}


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "coordinator.retina-test.fedfundus.internal"])
def test_a_site_and_the_coordinator_believe_each_other(untouched: Workplace, host: str) -> None:
    kits = untouched.out
    subject = connect(server_side(kits / "coordinator"), client_side(kits / "moema"), host)
    assert subject == {
        "organizationName": "retina-test",
        "organizationalUnitName": "site",
        "commonName": "moema",
    }


def test_another_host_name_is_refused_by_the_site(untouched: Workplace) -> None:
    kits = untouched.out
    for host in ("127.0.0.2", "localhost.example", "moema", "santos"):
        with pytest.raises(ssl.SSLCertVerificationError, match=r"mismatch|not valid for"):
            connect(server_side(kits / "coordinator"), client_side(kits / "moema"), host)


def test_no_certificate_is_refused(untouched: Workplace) -> None:
    kits = untouched.out
    with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
        connect(server_side(kits / "coordinator"), client_side(kits / "moema", certificate=False))


def test_another_authority_with_the_same_names_is_refused_by_both(
    untouched: Workplace, tmp_path: Path
) -> None:
    theirs = make(tmp_path).out
    ours = untouched.out
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        connect(server_side(ours / "coordinator"), client_side(theirs / "moema", ours / "moema"))
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(server_side(theirs / "coordinator"), client_side(ours / "moema"))


def test_an_expired_certificate_is_refused(tmp_path: Path) -> None:
    then = NOW - 60 * DAY
    place = make(tmp_path, FEDERATION + "lifetimes: {site: 30, coordinator: 90}\n", then)
    with pytest.raises(ssl.SSLError, match="certificate has expired"):
        connect(server_side(place.out / "coordinator"), client_side(place.out / "moema"))


def test_a_certificate_of_tomorrow_is_refused(place: Workplace) -> None:
    later = Workplace(place.authority, place.signer, place.out, NOW + DAY)
    renew(later, ["moema"], new_keys=False)
    with pytest.raises(ssl.SSLError, match="not yet valid"):
        connect(server_side(place.out / "coordinator"), client_side(place.out / "moema"))


def test_a_revoked_site_is_refused_and_the_others_are_not(place: Workplace) -> None:
    kits = place.out
    connect(server_side(kits / "coordinator"), client_side(kits / "moema"))
    revoke(place, "moema")
    with pytest.raises(ssl.SSLError, match="certificate revoked"):
        connect(server_side(kits / "coordinator"), client_side(kits / "moema"))
    connect(server_side(kits / "coordinator"), client_side(kits / "santos"))


def test_a_revoked_coordinator_is_refused_by_every_site(place: Workplace, tmp_path: Path) -> None:
    kits = place.out
    stolen = server_side(kits / "coordinator")
    renew(place, ["coordinator"], new_keys=True)
    for site in ("moema", "santos"):
        with pytest.raises(ssl.SSLCertVerificationError, match="revoked"):
            connect(stolen, client_side(kits / site))
        connect(server_side(kits / "coordinator"), client_side(kits / site))


def test_a_site_cannot_pose_as_the_coordinator(untouched: Workplace) -> None:
    kits = untouched.out
    posing = server_side(kits / "coordinator")
    posing.load_cert_chain(kits / "santos/certificates/site.pem", kits / "santos/keys/site.key")
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(posing, client_side(kits / "moema"))
    lenient = client_side(kits / "moema")
    lenient.check_hostname = False
    with pytest.raises(ssl.SSLCertVerificationError, match="purpose"):
        connect(posing, lenient)


def test_the_coordinator_cannot_pose_as_a_site(untouched: Workplace) -> None:
    kits = untouched.out
    posing = client_side(kits / "moema")
    posing.load_cert_chain(
        kits / "coordinator/certificates/coordinator.pem", kits / "coordinator/keys/coordinator.key"
    )
    with pytest.raises(ssl.SSLError, match="purpose"):
        connect(server_side(kits / "coordinator"), posing)


def test_keys_that_were_made_at_the_site_are_accepted_after_approval(
    place: Workplace, tmp_path: Path
) -> None:
    kit = place.out / "own-keys"
    accept(place, ask(kit, tmp_path / "request.json"))
    install(kit, kit, NOW)
    subject = connect(server_side(place.out / "coordinator"), client_side(kit))
    assert subject["commonName"] == "own-keys"


def test_a_stolen_authority_speaks_for_no_other_host(place: Workplace) -> None:
    """Name constraints: what it signs for another host or another organisation is believed by nobody."""
    described = place.authority.register.federation
    elsewhere = described.model_copy(
        update={
            "coordinator": described.coordinator.model_copy(update={"hosts": ("bank.example", "10.1.1.1")})
        }
    )
    kit = place.out / "coordinator"
    certificate = place.signer.issue(
        place.authority.register.certificate("coordinator").public_key(),  # type: ignore[union-attr, arg-type]
        elsewhere,
        "coordinator",
        NOW,
    )
    from deploy.pki.reading import pem

    (kit / "certificates/coordinator.pem").write_bytes(pem(certificate))
    for host in ("bank.example", "10.1.1.1"):
        with pytest.raises(ssl.SSLCertVerificationError, match=r"permitted subtree|excluded subtree"):
            connect(server_side(kit), client_side(place.out / "moema"), host)
