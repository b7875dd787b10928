"""Before the first round: every site has the same package, trunk and tensors, and the statistics are pooled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from server.sites import Question, SiteFailure, Sites
from shared_model.errors import RunError
from shared_model.exchange import Payload
from shared_model.exchange.fixed_point import LARGEST_WEIGHT
from shared_model.statistics import FederationStatistics, summarise
from shared_model.version import PACKAGE_VERSION


@dataclass(frozen=True)
class Roster:
    """The sites that joined: address to name, and to the number of training examples they registered."""

    names: dict[str, str]
    examples: dict[str, int]


def join(sites: Sites, trunk: str, tensors: dict[str, list[int]], *, quorum: int = 1) -> Roster:
    """Ask every site to join.

    Raises RunError naming the site that differs in version, trunk or tensors, and where fewer sites than
    `quorum` joined: no round could ever have enough updates.
    """
    names: dict[str, str] = {}
    examples: dict[str, int] = {}
    for address, answer in _answers(sites, "join"):
        fields = answer.fields
        name = str(fields.get("site", address))
        version = fields.get("version")
        _same(name, "package version", version, PACKAGE_VERSION, "install the same release everywhere")
        _same(
            name, "trunk fingerprint", fields.get("trunk"), trunk, "use the same pretrained weights and seed"
        )
        _same(
            name, "list of shared tensors", fields.get("tensors"), tensors, "use the same model configuration"
        )
        if name in names.values():
            raise RunError("two sites have the same name", where=f"site {name}", fix="rename one of them")
        names[address], examples[address] = name, _registered(name, fields.get("examples"))
    roster = Roster(names, examples)
    _require_trainable(roster, quorum)
    return roster


def _require_trainable(roster: Roster, quorum: int) -> None:
    empty = [roster.names[address] for address, count in roster.examples.items() if count == 0]
    if empty:
        raise RunError(
            "a site has no training patients",
            where=f"site {', '.join(empty)}",
            fix="use fewer sites, another partition, or more patients",
        )
    total = sum(roster.examples.values())
    if total > LARGEST_WEIGHT:
        raise RunError(
            f"the sites register {total} training records, a round can add {LARGEST_WEIGHT}",
            fix="use fewer or smaller sites",
        )
    if len(roster.names) < quorum:
        raise RunError(
            f"the quorum is {quorum}, but only {len(roster.names)} sites joined",
            where="federation.quorum",
            fix=f"use a quorum of at most {len(roster.names)}, or more sites",
        )


def _registered(site: str, examples: Any) -> int:
    if not isinstance(examples, int) or examples < 0:
        raise RunError(
            f"a site registers {examples!s:.20} training records",
            where=f"site {site}",
            fix="see that site's log, then start again",
        )
    return examples


def gather_statistics(sites: Sites, roster: Roster | None = None) -> FederationStatistics:
    """Round 0: every site's statistics as the federation's; their `standardisation()` goes into the model.

    roster: the names that the sites joined under, in place of their addresses. Raises DataError naming the
    site whose answer is malformed or whose records have another schema.
    """
    names = roster.names if roster is not None else {}
    return summarise(
        (names.get(address, address), answer.fields.get("statistics", {}))
        for address, answer in _answers(sites, "statistics")
    )


def _answers(sites: Sites, question: Question) -> list[tuple[str, Payload]]:
    answers: list[tuple[str, Payload]] = []
    for address, answer in sites.ask(question, {address: Payload() for address in sites.addresses()}):
        if isinstance(answer, SiteFailure):
            raise RunError(
                f"a site did not answer {question!r}: {answer.reason}",
                where=f"site address {address}",
                fix="see that site's log, then start again",
            )
        answers.append((address, answer))
    if not answers:
        raise RunError("no site is connected", fix="start the sites first")
    return answers


def _same(site: str, what: str, found: Any, expected: Any, fix: str) -> None:
    if found != expected:
        shown = f": {found!s:.64} instead of {expected!s:.64}" if isinstance(found, str) else ""
        raise RunError(f"a site has another {what}{shown}", where=f"site {site}", fix=fix)
