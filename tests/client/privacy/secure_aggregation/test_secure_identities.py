"""Keys that the federation's authority stands behind for nobody: no site goes on with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from secure_sites import SecureSites
from secure_talk import VICTIM, Talk

from client.privacy.secure_aggregation.believed import CertifiedSites
from client.privacy.secure_aggregation.refused import RoundRefused
from client.privacy.secure_aggregation.simulated import authority, described, identity
from deploy.pki.certificates import new_authority
from deploy.pki.keys import PrivateKey, new_key
from deploy.pki.reading import pem
from shared_model.secure_aggregation.session import Advert, text


def signed_with(advert: dict[str, Any], key: PrivateKey, certificate: str) -> dict[str, Any]:
    own = Advert.of(advert)
    return own.signed(key.sign(own.statement(), ec.ECDSA(hashes.SHA384())), certificate).to_field()


def foreign(advert: dict[str, Any], root: Path) -> dict[str, Any]:
    """By a site of the same name of a federation of the same name, under another authority."""
    key, now = new_key(), datetime.now(UTC)
    certificate = new_authority(described(), now).issue(key.public_key(), described(), advert["site"], now)
    return signed_with(advert, key, pem(certificate).decode())


def of_another_site(advert: dict[str, Any], root: Path) -> dict[str, Any]:
    own = identity(root, "site-04")
    return signed_with(advert, own.key, own.certificate)


def of_the_coordinator(advert: dict[str, Any], root: Path) -> dict[str, Any]:
    key = new_key()
    certificate = authority(root).issue(key.public_key(), described(), "coordinator", datetime.now(UTC))
    return signed_with(advert | {"site": "coordinator"}, key, pem(certificate).decode())


def expired(advert: dict[str, Any], root: Path) -> dict[str, Any]:
    key, then = new_key(), datetime.now(UTC) - timedelta(days=100)
    signer = replace(authority(root), certificate=new_authority(described(), then).certificate)
    certificate = signer.issue(key.public_key(), described(), advert["site"], then)
    return signed_with(advert, key, pem(certificate).decode())


def other_weight(advert: dict[str, Any], root: Path) -> dict[str, Any]:
    return advert | {"weight": 99999}


def other_key(advert: dict[str, Any], root: Path) -> dict[str, Any]:
    return advert | {"mask": text(bytes(range(32)))}


def unsigned(advert: dict[str, Any], root: Path) -> dict[str, Any]:
    return advert | {"signature": "", "certificate": ""}


@pytest.mark.parametrize(
    ("forged", "why"),
    [
        (unsigned, "the keys of site-03 are not signed"),
        (foreign, "the keys of site-03 are signed by somebody of another federation"),
        (of_another_site, "the keys of site-03 are signed with a certificate that is not that site's"),
        (of_the_coordinator, "the keys of coordinator are signed with a certificate that is not that site's"),
        (expired, "the keys of site-03 come with a certificate that cannot be used, or not now"),
        (other_weight, "the keys of site-03 were altered after they were signed"),
        (other_key, "the keys of site-03 were altered after they were signed"),
    ],
)
def test_keys_that_the_authority_stands_behind_for_nobody_end_the_round(
    forged: Callable[[dict[str, Any], Path], dict[str, Any]], why: str, sites: SecureSites, root: Path
) -> None:
    talk = Talk(sites).through("keys")
    talk.adverts["site-03"] = forged(talk.adverts["site-03"], root)
    with pytest.raises(RoundRefused, match=why):
        talk.step(VICTIM, "shares", cohort=list(talk.adverts.values()))


def test_a_revoked_certificate_ends_the_round(sites: SecureSites, root: Path) -> None:
    talk, now = Talk(sites).through("keys"), datetime.now(UTC)
    own = identity(root, "site-03")
    serial = x509.load_pem_x509_certificate(own.certificate.encode()).serial_number
    revoked = pem(authority(root).revoked_list([(serial, now)], 2, now)).decode()
    trusted = own.trusted.model_copy(update={"revoked": revoked})
    with pytest.raises(RoundRefused, match="of site-03 are signed with a certificate that was revoked"):
        CertifiedSites(lambda: trusted).require(Advert.of(talk.adverts["site-03"]))


def test_keys_of_another_round_or_run_are_refused(sites: SecureSites, root: Path) -> None:
    old, talk = Talk(sites).through("keys"), Talk(sites).through("keys")
    talk.adverts["site-02"] = old.adverts["site-02"]
    with pytest.raises(RoundRefused, match="the keys of site-02 are of another round, run or plan"):
        talk.step(VICTIM, "shares", cohort=list(talk.adverts.values()))
    own = identity(root, "site-02")
    other = replace(Advert.of(talk.adverts["site-02"]), round=talk.about, scope="simulation/another ")
    talk.adverts["site-02"] = signed_with(other.to_field(), own.key, own.certificate)
    with pytest.raises(RoundRefused, match="the keys of site-02 are of another round, run or plan"):
        talk.step(VICTIM, "shares", cohort=list(talk.adverts.values()))
