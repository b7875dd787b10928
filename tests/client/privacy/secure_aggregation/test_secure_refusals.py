"""A coordinator that lies: what each site refuses, in which words, and that nothing is opened meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from secure_sites import SecureSites, model
from secure_talk import SITES, VICTIM, Talk

from client.privacy.secure_aggregation.believed import CertifiedSites
from client.privacy.secure_aggregation.opened import OpenedRounds
from client.privacy.secure_aggregation.refused import RoundRefused
from client.privacy.secure_aggregation.rounds import SecureRounds
from client.privacy.secure_aggregation.simulated import identity
from server.errors import CoordinatorError
from server.secure_aggregation.session import new_round
from shared_model.exchange import Payload
from shared_model.model.parts import PARTS
from shared_model.records import TASKS
from shared_model.secure_aggregation.session import Advert


def test_a_cohort_without_a_site_or_with_other_keys_in_its_name_is_refused_there(sites: SecureSites) -> None:
    talk = Talk(sites).through("keys")
    others = [advert for site, advert in talk.adverts.items() if site != VICTIM]
    with pytest.raises(RoundRefused, match="in its name are not its own"):
        talk.step(VICTIM, "shares", cohort=others)
    with pytest.raises(RoundRefused, match="the round is of 2 sites, at least 3 are needed"):
        talk.step(VICTIM, "shares", cohort=[talk.adverts[VICTIM], others[0]])
    with pytest.raises(RoundRefused, match="names a site or a key twice"):
        talk.step(VICTIM, "shares", cohort=[*talk.adverts.values(), others[0]])


def test_sites_that_were_shown_different_cohorts_cannot_read_each_others_shares(sites: SecureSites) -> None:
    talk = Talk(sites).through("keys")
    fewer = [talk.adverts[site] for site in SITES[:4]]
    for site in SITES[:4]:
        cohort = list(talk.adverts.values()) if site == VICTIM else fewer
        talk.sealed[site] = talk.step(site, "shares", cohort=cohort)["shares"]
    with pytest.raises(RoundRefused, match="is not sealed for this site and this round"):
        sites.answer("train", VICTIM, talk.request(VICTIM))


def test_shares_of_another_site_or_of_too_few_are_refused(sites: SecureSites) -> None:
    talk = Talk(sites).through("keys", "shares")
    swapped = talk.request(VICTIM)
    shares = dict(swapped.fields["secure"]["shares"])
    shares["site-02"], shares["site-03"] = shares["site-03"], shares["site-02"]
    field = {"session": talk.about.session, "shares": shares}
    with pytest.raises(RoundRefused, match="is not sealed for this site"):
        sites.answer("train", VICTIM, Payload(talk.base, swapped.fields | {"secure": field}))
    few = {"session": talk.about.session, "shares": {"site-02": talk.sealed["site-02"][VICTIM]}}
    with pytest.raises(RoundRefused, match="2 sites of 5 are left, 3 are needed"):
        sites.answer("train", VICTIM, Payload(talk.base, swapped.fields | {"secure": few}))


def test_asked_the_same_again_a_site_answers_the_same_and_otherwise_not_at_all(sites: SecureSites) -> None:
    talk = Talk(sites).through("keys")
    again = talk.step(VICTIM, "keys", **talk.about.to_field())["advert"]
    assert Advert.of(again).statement() == Advert.of(talk.adverts[VICTIM]).statement()
    talk.shares()
    again = talk.step(VICTIM, "shares", **talk.cohort())["shares"]
    assert again == talk.sealed[VICTIM]
    with pytest.raises(RoundRefused, match="asks for shares again, and otherwise"):
        talk.step(VICTIM, "shares", cohort=[talk.adverts[site] for site in SITES[:4]])
    first = sites.answer("train", VICTIM, talk.request(VICTIM))
    same = sites.answer("train", VICTIM, talk.request(VICTIM))
    assert first.arrays["masked"].tobytes() == same.arrays["masked"].tobytes()


@pytest.mark.parametrize("what", ["learning_rate", "standardisation", "base", "senders", "round"])
def test_a_second_masked_answer_of_another_request_is_refused(what: str, sites: SecureSites) -> None:
    """Two vectors under one mask, subtracted, would show what changed between them."""
    talk = Talk(sites).through("keys", "shares", "train")
    changed: dict[str, Any] = {"learning_rate": 2e-4, "standardisation": {"age": 1}, "round": 2}
    if what == "base":
        talk.base = model(seed=1)
    elif what == "senders":
        del talk.sealed["site-04"]
    request = talk.request(VICTIM, **({what: changed[what]} if what in changed else {}))
    with pytest.raises(RoundRefused, match=r"again, and otherwise|of another round than its session"):
        sites.answer("train", VICTIM, request)


def test_no_site_gives_shares_for_two_lists_of_survivors(sites: SecureSites) -> None:
    talk = Talk(sites).through("keys", "shares", "train")
    talk.survivors(SITES)
    with pytest.raises(RoundRefused, match="asks for survivors again, and otherwise"):
        talk.step("site-02", "survivors", survivors=[site for site in SITES if site != VICTIM])
    given = talk.step("site-02", "unmask", signatures=talk.signatures)
    assert set(given["own"]) == set(SITES)
    assert given["keys"] == {}


def test_a_site_that_is_said_to_be_lost_to_some_is_opened_to_nobody(sites: SecureSites) -> None:
    """Both kinds of share of one site would give its update: here two sites are told that it is lost, three not."""
    talk = Talk(sites).through("keys", "shares", "train")
    without = [site for site in SITES if site != VICTIM]
    told = {site: without if site in ("site-02", "site-03") else SITES for site in SITES}
    signed = {site: talk.step(site, "survivors", survivors=left)["signature"] for site, left in told.items()}
    for site in SITES:
        with pytest.raises(RoundRefused, match="a signature of other survivors or of another request"):
            talk.step(site, "unmask", signatures={name: signed[name] for name in told[site]})
    lost = {site: signed[site] for site in ("site-02", "site-03")}
    with pytest.raises(RoundRefused, match="2 sites of 5 have agreed on who is left, 3 are needed"):
        talk.step("site-02", "unmask", signatures=lost)
    given = talk.step("site-00", "unmask", signatures={s: signed[s] for s in told if told[s] == SITES})
    assert VICTIM in given["own"]
    assert given["keys"] == {}


def test_of_no_site_both_kinds_of_share_are_given(sites: SecureSites) -> None:
    talk = Talk(sites).through("keys", "shares")
    left = SITES[:3]
    talk.train(left)
    talk.survivors(left)
    for site in left:
        given = talk.step(site, "unmask", signatures=talk.signatures)
        assert (sorted(given["own"]), sorted(given["keys"])) == (left, SITES[3:])


def test_sites_that_were_sent_another_base_do_not_open(sites: SecureSites, tmp_path: Path) -> None:
    """A model made for one victim, so that only its update is anything but zero, gets the coordinator nothing."""

    def alter(step: str, site: str, request: Payload) -> Payload:
        if step != "train" or site != VICTIM:
            return request
        return Payload(
            {name: array + np.float32(1) for name, array in request.arrays.items()}, request.fields
        )

    sites.alter = alter
    with pytest.raises(CoordinatorError, match="nothing of the round was opened"):
        sites.loop(tmp_path / "run").run(model())
    assert not [site for step, site, _ in sites.answers if step == "unmask"]
    assert any("another request" in why for _, _, why in sites.refused)


def test_a_round_is_opened_once_also_by_a_coordinator_that_says_it_lost_the_sum(sites: SecureSites) -> None:
    talk = Talk(sites).through("keys", "shares", "train")
    talk.survivors(SITES)
    talk.step(VICTIM, "unmask", signatures=talk.signatures)
    with pytest.raises(RoundRefused, match=r"round 1 \(train\) has been opened already"):
        Talk(sites).step(VICTIM, "keys", **new_round("train", 1).to_field())
    Talk(sites, number=2).through("keys")


def test_a_round_that_was_not_opened_may_be_begun_anew(sites: SecureSites) -> None:
    Talk(sites).through("keys", "shares", "train")
    Talk(sites).through("keys", "shares", "train")


def test_opened_rounds_outlive_the_process_and_round_keys_do_not(sites: SecureSites, root: Path) -> None:
    kept: list[bytes] = []
    trusted = identity(root, VICTIM).trusted

    def started() -> SecureRounds:
        opened = OpenedRounds(lambda: kept[-1] if kept else None, kept.append)
        rounds = SecureRounds(
            VICTIM, sites.config, "simulation/simulation", CertifiedSites(lambda: trusted), opened
        )
        sites.rounds[VICTIM].rounds = rounds
        return rounds

    started()
    talk = Talk(sites).through("keys", "shares", "train")
    talk.survivors(SITES)
    talk.step(VICTIM, "unmask", signatures=talk.signatures)
    started()
    with pytest.raises(RoundRefused, match="is of no round that this site is in"):
        talk.step(VICTIM, "unmask", signatures=talk.signatures)
    with pytest.raises(RoundRefused, match="has been opened already"):
        Talk(sites).step(VICTIM, "keys", **new_round("train", 1).to_field())


@pytest.mark.parametrize("question", ["train", "evaluate"])
def test_no_unmasked_answer_is_given_in_a_secure_run(question: str, sites: SecureSites) -> None:
    fields = {"round": 1, "learning_rate": 1e-4, "standardisation": {}}
    with pytest.raises(RoundRefused, match="is of no round that this site is in"):
        sites.answer(question, VICTIM, Payload(model(), fields))


def test_shares_for_an_evaluation_mask_no_training(sites: SecureSites) -> None:
    talk = Talk(sites)
    talk.about = new_round("evaluate", 1)
    talk.through("keys", "shares")
    with pytest.raises(RoundRefused, match="is of another round than its session"):
        sites.answer("train", VICTIM, talk.request(VICTIM))


@pytest.mark.parametrize(
    "fields",
    [
        {"step": "shares", "cohort": "all"},
        {"step": "shares", "cohort": [{}]},
        {"step": "shares", "cohort": [None] * 200},
        {"step": "survivors", "survivors": [1, 2]},
        {"step": "unmask", "signatures": []},
        {"step": "unmask", "signatures": {"site-00": "%%"}},
        {"step": "peek"},
        {},
    ],
)
def test_messages_that_make_no_sense_are_refused_in_our_words(
    fields: dict[str, Any], sites: SecureSites
) -> None:
    talk = Talk(sites).through("keys")
    given = Payload(fields={"session": talk.about.session, **fields})
    with pytest.raises(
        RoundRefused, match="this site's part in the secure round ends: the coordinator's message"
    ):
        sites.rounds[VICTIM].answer(given, 10, TASKS, PARTS)


@pytest.mark.parametrize(
    "about",
    [{"question": "scores"}, {"round": -1}, {"round": True}, {"session": "x"}, {"session": None}],
)
def test_keys_are_given_for_rounds_alone(about: dict[str, Any], sites: SecureSites) -> None:
    given = {"step": "keys", **new_round("train", 1).to_field(), **about}
    with pytest.raises(RoundRefused, match=r"is of no round|names no session"):
        sites.rounds[VICTIM].answer(Payload(fields=given), 10, TASKS, PARTS)


def test_weights_that_no_round_can_add_are_refused(sites: SecureSites) -> None:
    sites.weights = dict.fromkeys(SITES, 2**18)
    talk = Talk(sites).through("keys")
    with pytest.raises(RoundRefused, match="weights sum to 1310720, at most 1048576 can be added"):
        talk.step(VICTIM, "shares", cohort=list(talk.adverts.values()))
