"""Whose validation figures are opened: of sites that have some, of the same tasks, and never of fewer than three."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from secure_sites import SecureSites, model, report

from server.history import RoundRecord
from server.secure_aggregation import collecting
from server.secure_aggregation.joined import Joined, validating
from server.secure_aggregation.session import new_round
from server.sites import SiteFailure
from server.store import RunFolder
from shared_model.config.secure_aggregation import SecureAggregationConfig
from shared_model.exchange import Payload
from shared_model.secure_aggregation.session import Advert

BOTH, ONE = ("icdr", "sdrg"), ("icdr",)
TWO_ROUNDS = "federation.rounds=2"
Make = Callable[..., SecureSites]


def examples(sites: SecureSites, names: list[str]) -> int:
    return sum(report(sites.number(site), 10)["validation"]["examples"] for site in names)


def opened(sites: SecureSites, folder: Path) -> list[int]:
    """Labels that the validation figures of each model rest on."""
    records: list[RoundRecord] = []
    sites.loop(folder / "run", records).run(model())
    return [record.validations["all sites"]["examples"] for record in records]


@pytest.mark.parametrize("count", [3, 4])
def test_no_figures_are_opened_where_fewer_than_three_sites_have_any(
    count: int, sites: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[tuple[str, str]] = []
    monkeypatch.setattr(RunFolder, "event", lambda _, what, **said: events.append((what, said["reason"])))
    found = sites(count, TWO_ROUNDS)
    found.tells = dict.fromkeys(found.addresses()[2:], ())
    assert opened(found, tmp_path) == [0, 0, 0]
    assert found.refused == []
    assert {what for what, _ in events} == {"validation figures not opened"}
    assert len(events) == 3
    assert "too few sites have figures of the same tasks to tell" in events[0][1]


def test_a_site_without_figures_trains_and_the_sum_is_of_the_others(sites: Make, tmp_path: Path) -> None:
    found = sites(5, TWO_ROUNDS)
    found.tells = {"site-01": (), "site-03": ()}
    assert opened(found, tmp_path) == [examples(found, ["site-00", "site-02", "site-04"])] * 3
    assert {site for step, site, _ in found.answers if step == "train"} == set(found.addresses())


def test_a_site_that_is_asked_for_no_evaluation_costs_nobody_the_last_ones_figures(
    sites: Make, tmp_path: Path
) -> None:
    found = sites(5, TWO_ROUNDS)
    found.tells = {"site-04": ()}
    ask = found.ask

    def without(
        question: str, payloads: Mapping[str, Payload]
    ) -> Iterator[tuple[str, Payload | SiteFailure]]:
        for site, payload in payloads.items():
            if site == "site-04" and "evaluate" in (question, payload.fields.get("question")):
                yield site, SiteFailure("this site's policy does not allow the call 'evaluate'")
                continue
            yield from ask(question, {site: payload})

    found.ask = without  # type: ignore[method-assign]
    assert opened(found, tmp_path) == [examples(found, found.addresses()[:4])] * 3


@pytest.mark.parametrize(
    ("with_one_task", "expected"),
    [([0, 1], [2, 3, 4]), ([0, 1, 2], [0, 1, 2]), ([0, 1, 2, 3], [0, 1, 2, 3])],
)
def test_figures_are_of_sites_with_the_same_tasks(
    with_one_task: list[int], expected: list[int], sites: Make, tmp_path: Path
) -> None:
    """Else those of one task would be of fewer sites than the list has."""
    found = sites(5)
    names = found.addresses()
    found.tells = {names[n]: ONE for n in with_one_task}
    assert opened(found, tmp_path) == [examples(found, [names[n] for n in expected])] * 2


def test_two_sites_with_each_kind_of_figures_tell_nothing(sites: Make, tmp_path: Path) -> None:
    found = sites(5)
    found.tells = {"site-00": ONE, "site-01": ONE, "site-02": ()}
    assert opened(found, tmp_path) == [0, 0]


def joined(**sites: tuple[tuple[str, ...], str]) -> list[Joined]:
    """Sites with tasks that they tell of, and the list that they remember as a word of one-letter names."""
    keys = bytes(32), bytes(32), bytes(32)
    return [
        Joined(name, Advert("s", new_round("train", 1), name, 1, *keys, tells=tells), list(remembered))
        for name, (tells, remembered) in sites.items()
    ]


@pytest.mark.parametrize(
    ("remembered", "expected"),
    [
        (
            {"a": "abcd", "b": "bcde", "c": "bcde", "d": "bcde", "e": ""},
            "bcde",
        ),  # a: of a session that broke off
        ({"a": "abcd", "b": "bcde", "c": "", "d": "", "e": ""}, "bcde"),  # b is bound to the other
        ({"b": "abcd", "c": "abcd", "d": "abcd", "e": "", "f": ""}, ""),  # a is away
        ({"a": "abcd", "b": "abcd", "c": "bcde", "d": "abcd", "e": "bcde"}, ""),  # c is bound to the other
        ({"a": "ab", "b": "ab", "c": "", "d": ""}, ""),  # which no site would take part in
        ({"a": "", "b": "", "c": "", "d": ""}, "abcd"),
    ],
)
def test_the_list_that_most_remember_is_asked_where_its_sites_are_here_and_bound_to_no_other(
    remembered: dict[str, str], expected: str
) -> None:
    given = joined(**{name: (BOTH, word) for name, word in remembered.items()})
    found, settled = validating(given, SecureAggregationConfig().fewest)
    assert ("".join(found), settled) == (expected, any(remembered.values()))


def test_a_list_with_a_site_that_no_longer_has_figures_is_not_asked() -> None:
    for tells in ((), ONE):
        given = joined(a=(BOTH, "abcd"), b=(BOTH, "abcd"), c=(BOTH, "abcd"), d=(tells, "abcd"))
        assert validating(given, SecureAggregationConfig().fewest) == ([], True)


@pytest.fixture
def broken_off(
    sites: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[SecureSites, list[RoundRecord]]:
    """A run in whose first round site-00 alone gives its shares before the others are gone for a moment."""
    monkeypatch.setattr(collecting, "RETRY_SECONDS", 0.0)
    found = sites(5, "federation.rounds=3", "federation.silence=60", "federation.grace=1")
    first: list[str] = []

    def goes(step: str, site: str, request: Payload) -> Payload:
        about: Any = request.fields.get("session") or request.fields.get("secure", {}).get("session")
        first.append(about)
        within = about == first[0]
        found.lost = {"site-04": "train"} | dict.fromkeys(found.addresses()[1:4], "unmask") if within else {}
        return request

    found.alter = goes
    records: list[RoundRecord] = []
    found.loop(tmp_path / "run", records).run(model())
    return found, records


def test_a_session_that_broke_off_while_it_was_opened_costs_no_later_figures(
    broken_off: tuple[SecureSites, list[RoundRecord]],
) -> None:
    found, records = broken_off
    expected = examples(found, found.addresses()[1:])  # site-00 stands for a list of its own
    assert [record.validations["all sites"]["examples"] for record in records] == [expected] * 4
    assert [len(record.sites) for record in records] == [0, 4, 5, 5]


def test_bytes_of_a_site_are_of_every_session_of_the_round(
    broken_off: tuple[SecureSites, list[RoundRecord]],
) -> None:
    _, records = broken_off
    begun_anew, plain = (record.to_dict()["sites"]["site-01"] for record in records[1:3])
    for way in ("bytes_up", "bytes_down"):
        assert begun_anew[way] > 1.5 * plain[way]
        assert sum(site[way] for site in records[2].to_dict()["sites"].values()) == getattr(records[2], way)
