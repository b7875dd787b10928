"""Secure rounds that go wrong otherwise than by lost sites: wrong shares and keys, sessions begun anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from secure_sites import SecureSites, assert_mean, model, tolerance

from server.errors import Code, CoordinatorError
from server.secure_aggregation import collecting
from shared_model.errors import DataError
from shared_model.exchange import Payload
from shared_model.secure_aggregation.session import text


def test_shares_that_are_wrong_are_worked_around_and_named_where_they_are_too_many(
    sites: Callable[..., SecureSites], tmp_path: Path
) -> None:
    found, base = sites(5), model()
    answer = found.answer
    wrong: set[str] = {"site-00", "site-01"}

    def lying(step: str, site: str, request: Payload) -> Payload:
        given = answer(step, site, request)
        if step != "unmask" or site not in wrong:
            return given
        return Payload(fields=given.fields | {"own": dict.fromkeys(given.fields["own"], text(bytes(36)))})

    found.answer = lying  # type: ignore[method-assign]
    last = found.loop(tmp_path / "run").run(base)
    assert_mean(last, found.plain_mean(base, found.addresses()), tolerance(found, base, 5))
    wrong |= {"site-02"}
    fresh = sites(5)
    answer, fresh.answer = fresh.answer, lying  # type: ignore[method-assign]
    with pytest.raises(CoordinatorError, match="the shares of site-00's own mask do not give it") as error:
        fresh.loop(tmp_path / "other").run(base)
    assert error.value.code is Code.NOT_A_SUM


def test_a_worker_asked_outside_any_round_says_so(sites: Callable[..., SecureSites]) -> None:
    request = Payload(model(), {"round": 1, "learning_rate": 1e-4, "standardisation": {}})
    with pytest.raises(DataError, match="is of no round that this site is in"):
        sites(3).answer("train", "site-00", request)


def test_a_deployed_round_is_begun_anew_while_there_is_time(
    sites: Callable[..., SecureSites], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "RETRY_SECONDS", 0.0)
    found, base = sites(4, "federation.silence=60", "federation.grace=1"), model()
    found.lost = dict.fromkeys(("site-00", "site-01", "site-02"), "train")
    asked: list[str] = []

    def come_back(step: str, site: str, request: Payload) -> Payload:
        asked.append(str(request.fields.get("session")))
        if len(set(asked) - {"None"}) > 1:
            found.lost = {}
        return request

    found.alter = come_back
    last = found.loop(tmp_path / "run").run(base)
    assert_mean(last, found.plain_mean(base, found.addresses()), tolerance(found, base, 4))


def test_a_site_that_hands_in_anothers_keys_is_out_and_the_others_go_on(
    sites: Callable[..., SecureSites], tmp_path: Path
) -> None:
    found, base = sites(5), model()
    answer, seen = found.answer, {}

    def copying(step: str, site: str, request: Payload) -> Payload:
        given = answer(step, site, request)
        if step != "keys":
            return given
        seen[site] = given.fields["advert"]
        advert = seen[site] | ({"mask": seen["site-00"]["mask"]} if site == "site-03" else {})
        return Payload(fields=given.fields | {"advert": advert})

    found.answer = copying  # type: ignore[method-assign]
    last = found.loop(tmp_path / "run").run(base)
    left = [site for site in found.addresses() if site != "site-03"]
    assert_mean(last, found.plain_mean(base, left), tolerance(found, base, 4))


def test_more_sites_than_can_share_with_each_other_are_told_so(
    sites: Callable[..., SecureSites], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "MOST_SITES", 3)
    with pytest.raises(CoordinatorError, match="adds up at most 3 sites in a round, 4 are there") as error:
        sites(4).loop(tmp_path / "run").run(model())
    assert error.value.code is Code.BAD_COUNT
