"""The gateway's signature under its worker's keys of a secure round: with the kit's key, and under nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from deployed import make_federation

from client.approval.trusted import Trusted, trusted_of_kit
from client.gateway.app import KIT_VARIABLE, signed
from client.privacy.secure_aggregation.believed import CertifiedSites
from client.privacy.secure_aggregation.opened import OpenedRounds
from client.privacy.secure_aggregation.refused import RoundRefused
from client.privacy.secure_aggregation.rounds import SecureRounds
from server.secure_aggregation.session import new_round
from shared_model.config import Config
from shared_model.errors import DataError, RunError
from shared_model.exchange import Payload
from shared_model.exchange.message_id import message_id
from shared_model.model.parts import PARTS
from shared_model.records import TASKS
from shared_model.secure_aggregation.session import ADVERT, Advert


@pytest.fixture(scope="module")
def kits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_federation(tmp_path_factory.mktemp("north"))


@pytest.fixture
def kit(kits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = Path(shutil.copytree(kits / "paulista", tmp_path / "paulista"))
    monkeypatch.setenv(KIT_VARIABLE, str(found))
    return found


@pytest.fixture
def answer(kit: Path, small_config: Callable[..., Config]) -> Payload:
    """A worker's keys, as it gives them."""
    believed = CertifiedSites(lambda: trusted_of_kit(kit, "paulista"))
    rounds = SecureRounds("paulista", small_config(), "north/run-1", believed, OpenedRounds())
    return rounds.answer(
        Payload(fields={"step": "keys", **new_round("train", 1).to_field()}), 10, TASKS, PARTS
    )


def believed(kit: Path, now: datetime | None = None) -> CertifiedSites:
    trusted: Trusted = trusted_of_kit(kit, "paulista")
    return CertifiedSites(lambda: trusted, (lambda: now) if now else None)


def test_keys_are_signed_so_that_every_site_of_the_federation_believes_them(
    kit: Path, answer: Payload
) -> None:
    found = Advert.of_answer(signed(answer).fields)
    believed(kit).require(found)
    assert found.statement() == Advert.of(answer.fields[ADVERT]).statement()
    with pytest.raises(RoundRefused, match="the keys of paulista are not signed"):
        believed(kit).require(Advert.of_answer(answer.fields))
    assert message_id(signed(answer)) == message_id(
        answer
    )  # the records of both ends name the worker's answer


def test_nobody_believes_them_once_the_certificate_has_run_out(kit: Path, answer: Payload) -> None:
    found = Advert.of_answer(signed(answer).fields)
    with pytest.raises(RoundRefused, match="cannot be used, or not now"):
        believed(kit, datetime(2099, 1, 1, tzinfo=UTC)).require(found)


def test_another_federation_of_the_same_name_does_not_believe_them(
    kit: Path, answer: Payload, tmp_path: Path
) -> None:
    other = make_federation(tmp_path / "other")
    with pytest.raises(RoundRefused, match="signed by somebody of another federation"):
        believed(other / "paulista").require(Advert.of_answer(signed(answer).fields))


def test_keys_of_another_site_are_not_signed(kit: Path, answer: Payload) -> None:
    other = answer.fields[ADVERT] | {"site": "moema"}
    with pytest.raises(ValueError, match="keys of another site"):
        signed(Payload(fields=answer.fields | {ADVERT: other}))


def test_other_answers_pass_as_they_are_and_need_no_kit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KIT_VARIABLE, raising=False)
    plain = Payload({"w": np.ones(2, np.float32)}, {"round": 1})
    assert signed(plain) is plain


def test_without_a_kit_or_its_key_the_gateway_says_so(
    kit: Path, answer: Payload, monkeypatch: pytest.MonkeyPatch
) -> None:
    (kit / "keys" / "site.key").unlink()
    with pytest.raises(DataError, match="a file of the kit is missing"):
        signed(answer)
    monkeypatch.delenv(KIT_VARIABLE)
    with pytest.raises(RunError, match="does not know its kit"):
        signed(answer)
