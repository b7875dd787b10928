"""A coordinator that asks twice about one model, of all sites and of all but one: it does not get the one's figures."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from secure_sites import SecureSites, model, report
from secure_talk import SITES, VICTIM, Talk

from client.privacy.secure_aggregation.opened import OpenedRounds
from client.privacy.secure_aggregation.refused import RoundRefused
from server.history import RoundRecord
from server.secure_aggregation.opening import Given, MaskedSum, opened, opened_figures
from server.secure_aggregation.session import new_round
from server.store import RunFolder
from shared_model.errors import DataError
from shared_model.exchange import fingerprint
from shared_model.secure_aggregation.report import from_words, length
from shared_model.secure_aggregation.session import (
    Advert,
    Cohort,
    asked_digest,
    contents_of,
    stage_digest,
)

OTHERS = [site for site in SITES if site != VICTIM]
REFUSED = "validation figures are asked for of other sites than before in this run"


def evaluated(
    sites: SecureSites, number: int, names: list[str], left: list[str] | None = None, **told: Any
) -> dict[str, Any]:
    """What a coordinator opens of an `evaluate` of the same model under this number."""
    talk = Talk(sites, names, number, "evaluate")
    vars(talk).update(told)
    left = left or names
    talk.through("keys", "shares")
    total = MaskedSum(0, 16, length(0))
    for site in left:
        total.add(site, None, sites.answer("evaluate", site, talk.request(site)).arrays["report"])
    talk.survivors(left)
    answers = [talk.step(site, "unmask", signatures=talk.signatures) for site in left]
    given = [Given(*(contents_of(answer[part]) for part in ("own", "keys", "figures"))) for answer in answers]
    cohort = Cohort.of(
        [Advert.of(advert) for advert in talk.adverts.values()],
        sites.config.secure_aggregation.left(len(names)),
        talk.validating,
        talk.settled,
    )
    asked = asked_digest(talk.request(left[0]).fields, fingerprint(talk.base))
    stage = stage_digest(cohort.digest(), sorted(names), asked)
    opened(total, cohort, sorted(names), stage, talk.digests, given)
    enough = sites.config.secure_aggregation.left(len(talk.validating))
    found = opened_figures(total, cohort, enough, stage, talk.figures, given)
    figures: dict[str, Any] = from_words(total.told, len(left), 10 * len(left))["validation"]
    assert found == (figures["examples"] > 0)
    return figures


def summed(names: list[str]) -> dict[str, Any]:
    told = [report(SITES.index(site), 10)["validation"] for site in names]
    return {
        "examples": sum(one["examples"] for one in told),
        "loss_sum": sum(one["loss_sum"] for one in told),
        "confusion": {
            task: np.sum([one["confusion"][task] for one in told], axis=0).tolist()
            for task in ("icdr", "sdrg")
        },
    }


def test_the_figures_of_one_site_are_not_the_difference_of_two_sums(sites: SecureSites) -> None:
    """The same model under two numbers, the second without the victim, by every list that the others can be told."""
    assert evaluated(sites, 1, SITES) == summed(SITES)
    number = count(2)
    for told in ({"validating": OTHERS}, {"validating": OTHERS, "settled": True}):
        with pytest.raises(RoundRefused, match=REFUSED):
            evaluated(sites, next(number), OTHERS, **told)
    with pytest.raises(RoundRefused, match="validation figures of sites that are not in the round"):
        evaluated(sites, next(number), OTHERS, validating=SITES)
    assert evaluated(sites, next(number), OTHERS, validating=[])["examples"] == 0
    for settled in (False, True):  # the victim is lost, or made out to be
        left = evaluated(sites, next(number), SITES, OTHERS, settled=settled)
        assert (left["examples"], left["loss_sum"], np.sum(left["confusion"]["icdr"])) == (0, 0.0, 0)
    assert evaluated(sites, next(number), SITES, settled=True) == summed(SITES)  # the run goes on


def test_nor_of_a_round_of_training_and_an_evaluation(sites: SecureSites) -> None:
    talk = Talk(sites).through("keys", "shares", "train")
    talk.survivors(SITES)
    for site in SITES:
        talk.step(site, "unmask", signatures=talk.signatures)
    with pytest.raises(RoundRefused, match=REFUSED):
        evaluated(sites, 1, OTHERS)


def test_a_few_sites_are_not_asked_among_many(sites: SecureSites) -> None:
    with pytest.raises(RoundRefused, match="validation figures of 2 sites alone are asked for"):
        evaluated(sites, 1, SITES, validating=[VICTIM, "site-02"])


@pytest.mark.parametrize("tells", [(), ("icdr",)])
def test_nor_with_sites_that_add_nothing_or_other_figures(tells: tuple[str, ...], sites: SecureSites) -> None:
    """Their zeros would leave the sum, or that of one task, to the others alone."""
    sites.tells = {"site-03": tells}
    with pytest.raises(RoundRefused, match="sites without any, or with those of other tasks"):
        evaluated(sites, 1, SITES)
    honest = [site for site in SITES if site != "site-03"]
    assert evaluated(sites, 2, SITES, validating=honest) == summed(honest)


def test_no_figures_leave_of_other_tasks_than_a_sites_keys_say(sites: SecureSites) -> None:
    """A patient was excluded between the steps, or a record holds nothing that the model reads."""
    talk = Talk(sites).through("keys", "shares")
    sites.tells = {VICTIM: ("icdr",)}
    with pytest.raises(RoundRefused, match="are of other tasks than it said when the round began"):
        sites.answer("train", VICTIM, talk.request(VICTIM))
    again = Talk(sites)
    sites.tells = {}
    again.keys()
    assert Advert.of(again.adverts[VICTIM]).tells == ("icdr",)  # as it turned out to be
    assert Advert.of(again.adverts["site-00"]).tells == ("icdr", "sdrg")


def test_who_is_told_other_lists_of_sites_opens_nothing(sites: SecureSites) -> None:
    talk = Talk(sites).through("keys")
    for site in SITES:
        talk.validating = OTHERS if site == VICTIM else SITES
        talk.sealed[site] = talk.step(site, "shares", **talk.cohort())["shares"]
    with pytest.raises(RoundRefused, match="is not sealed for this site and this round"):
        sites.answer("train", VICTIM, talk.request(VICTIM))


def test_a_site_remembers_the_list_after_a_restart_and_with_it_the_rounds() -> None:
    file: dict[str, bytes] = {}
    before = OpenedRounds(lambda: file.get("x"), lambda content: file.update(x=content))
    before.remember(new_round("train", 1), ["a", "b", "c"])
    before.remember(new_round("evaluate", 2))
    after = OpenedRounds(lambda: file.get("x"))
    with pytest.raises(RoundRefused, match=REFUSED):
        after.require_validating("b", ["b", "c", "d"])
    after.require_validating("d", ["e", "f", "g"])  # which trains, and says nothing of its own
    assert after.validated() == ["a", "b", "c"]
    with pytest.raises(RoundRefused, match=r"round 2 \(evaluate\) has been opened"):
        after.require_closed(new_round("evaluate", 2))
    file["x"] = json.dumps({"train": 3}).encode()  # of an earlier release
    assert OpenedRounds(lambda: file.get("x")).validated() == []
    file["x"] = b'{"validated": "abc"}'
    with pytest.raises(DataError, match="damaged"):
        after.validated()


def test_no_sums_that_can_be_opened_add_up_to_one_sites_figures() -> None:
    """Lists asked for, sites lost and shares given at a liar's choice, and the rule that workers hold to."""
    random, opened_any = np.random.default_rng(5), 0
    for _ in range(3000):
        n = int(random.integers(3, 9))
        books, sums = [OpenedRounds() for _ in range(n)], []
        for number in range(12):
            asked = sorted(random.choice(n, int(random.integers(3, n + 1)), replace=False).tolist())
            names, enough = [str(i) for i in asked], len(asked) // 2 + 1
            refusing = {str(i) for i in asked if books[i].validated() not in ([], names)}
            left = [name for name in names if name not in refusing and random.random() < 0.9]
            willing = [i for i in asked if str(i) in left and books[i].openable(names, left, max(3, enough))]
            if len(willing) < enough:
                continue
            for i in random.permutation(willing)[:enough]:  # no more than are needed learn of it
                books[i].remember(
                    new_round("evaluate", number), books[i].openable(names, left, max(3, enough))
                )
            sums.append([float(str(i) in left) for i in range(n)])
        if not sums:
            continue
        opened_any += 1
        span = np.linalg.matrix_rank(np.array(sums))
        for one in np.eye(n):
            assert np.linalg.matrix_rank(np.array([*sums, one])) == span + 1, sums
    assert opened_any > 1000


def ran(sites: SecureSites, folder: Path, lost: dict[int, dict[str, str]]) -> list[RoundRecord]:
    """The rounds of a run, in some of whose trainings sites are lost. lost: round -> site -> step."""
    records: list[RoundRecord] = []
    loop, ask = sites.loop(folder / "run", records), sites.ask

    def asking(question: str, payloads: Any) -> Any:
        first = next(iter(payloads.values())).fields
        if "round" in first:
            training = first.get("question", question) == "train"
            sites.lost = lost.get(first["round"], {}) if training else {}
        return ask(question, payloads)

    sites.ask = asking  # type: ignore[method-assign]
    loop.run(model())
    return records


def test_a_site_that_is_lost_costs_the_rounds_without_it_their_figures_and_nothing_else(
    sites: SecureSites, tmp_path: Path
) -> None:
    sites.config = sites.config.model_copy(
        update={"federation": sites.config.federation.model_copy(update={"rounds": 4})}
    )
    records = ran(sites, tmp_path, {2: {VICTIM: "train"}, 3: {"site-03": "keys"}})
    told = [record.to_dict()["validation"] for record in records]
    assert [one["loss"] is not None for one in told] == [True, False, False, True, True]
    assert [len(record.sites) for record in records] == [0, 5, 4, 4, 5]
    assert told[3] == told[0]
    folder = RunFolder(
        tmp_path / "run"
    )  # round 2's and 3's models have no figures, and are not the best for it
    assert all(np.array_equal(folder.load_weights("best")[name], array) for name, array in model().items())


def test_a_site_that_comes_later_trains_and_the_figures_stay_those_of_the_others(
    sites: SecureSites, tmp_path: Path
) -> None:
    records = ran(sites, tmp_path, {1: {VICTIM: "keys"}})
    assert [len(record.sites) for record in records] == [0, 4, 5]
    expected = summed(OTHERS)
    for record in records:
        assert record.validations["all sites"]["examples"] == expected["examples"]
