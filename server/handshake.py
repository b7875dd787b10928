"""Before the first round: every site has the same package, trunk and tensors, and the statistics are pooled.

A site that differs ends the launch, by name: nothing is lost yet. One that does not answer is left out where the
others are enough and the run waits for sites at all (a deployed one); it may come in later.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from server.conversation import IDLE_SECONDS, Conversation
from server.errors import Code, CoordinatorError
from server.patience import Patience
from server.sites import Question, SiteFailure, Sites, Waiting
from shared_model.config.federation import FederationConfig
from shared_model.exchange import Payload
from shared_model.exchange.fixed_point import LARGEST_WEIGHT
from shared_model.printable import NAME, printable
from shared_model.statistics import FederationStatistics, summarise
from shared_model.version import PACKAGE_VERSION

_LOG = "see that site's log, then start again"


@dataclass(frozen=True)
class Roster:
    """The sites that joined: address to name, to the number of training examples they registered, to their package
    (its hash where the site says it, else its release).
    """

    names: dict[str, str]
    examples: dict[str, int]
    packages: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Terms:
    """What a site must have in common with the others. trunk: its fingerprint. tensors: name to shape."""

    trunk: str
    tensors: Mapping[str, list[int]]

    def require(self, name: str, fields: Mapping[str, Any]) -> None:
        """Raise CoordinatorError where the answer to `join` differs."""
        version = fields.get("version")
        _same(name, "package version", version, PACKAGE_VERSION, "install the same release everywhere")
        _same(
            name,
            "trunk fingerprint",
            fields.get("trunk"),
            self.trunk,
            "use the same pretrained weights and seed",
        )
        _same(
            name,
            "list of shared tensors",
            fields.get("tensors"),
            self.tensors,
            "use the same model configuration",
        )


def join(
    sites: Sites,
    trunk: str,
    tensors: Mapping[str, list[int]],
    *,
    quorum: int = 1,
    grace: float = 0.0,
    silence: float = 0.0,
) -> Roster:
    """Ask every site to join. grace, silence: seconds as in `[federation]`, 0 for no limit.

    Raises CoordinatorError naming the site that differs in version, trunk or tensors, and where fewer sites than
    `quorum` joined: no round could ever have enough updates.
    """
    roster, terms = Roster({}, {}), Terms(trunk, tensors)
    federation = FederationConfig(quorum=quorum, grace=grace, silence=silence)

    def shared(answer: Payload) -> Payload:
        """Its list of tensors, if it is the expected one, is the expected one: a thousand copies take memory."""
        if answer.fields.get("tensors") == tensors:
            answer.fields["tensors"] = tensors
        return answer

    for address, answer in _answers(sites, "join", _connected(sites, federation), federation, shared):
        admit(roster, address, answer, terms)
    _require_trainable(roster, quorum)
    return roster


def admit(roster: Roster, address: str, answer: Payload, terms: Terms) -> str:
    """Take a site into the roster; its name. Raises CoordinatorError where it may not come in."""
    fields = answer.fields
    name = name_of(address, fields)
    terms.require(name, fields)
    if name in roster.names.values():
        raise CoordinatorError(
            Code.NAME_TWICE,
            "two sites have the same name",
            where=f"site {name}",
            fix="rename one of them",
        )
    examples = _registered(name, fields.get("examples"))
    roster.names[address], roster.examples[address] = name, examples
    roster.packages[address] = printable(str(fields.get("package", fields["version"])), NAME)
    return name


def name_of(address: str, fields: Mapping[str, Any]) -> str:
    """What a site calls itself, fit to be stored and shown; its address where it says nothing."""
    return printable(str(fields.get("site", address)), NAME)


def _require_trainable(roster: Roster, quorum: int) -> None:
    empty = [roster.names[address] for address, count in roster.examples.items() if count == 0]
    if empty:
        raise CoordinatorError(
            Code.NO_PATIENTS,
            "a site has no training patients",
            where=f"site {', '.join(empty)}",
            fix="use fewer sites, another partition, or more patients",
        )
    total = sum(roster.examples.values())
    if total > LARGEST_WEIGHT:
        raise CoordinatorError(
            Code.BAD_COUNT,
            f"the sites register {total} training records, a round can add {LARGEST_WEIGHT}",
            fix="use fewer or smaller sites",
        )
    if len(roster.names) < quorum:
        raise CoordinatorError(
            Code.TOO_FEW_SITES,
            f"the quorum is {quorum}, but only {len(roster.names)} sites joined",
            where="federation.quorum, what federation.strategy needs against federation.malicious sites, or "
            "secure_aggregation, which needs 3 and its threshold",
            fix=f"use a quorum of at most {len(roster.names)}, a strategy that needs no more, or more sites",
        )


def _registered(site: str, examples: Any) -> int:
    if not isinstance(examples, int) or isinstance(examples, bool) or examples < 0:
        raise CoordinatorError(
            Code.BAD_COUNT,
            f"a site registers {examples!s:.20} training records",
            where=f"site {site}",
            fix=_LOG,
        )
    return examples


def gather_statistics(
    sites: Sites, roster: Roster | None = None, *, quorum: int = 1, grace: float = 0.0, silence: float = 0.0
) -> FederationStatistics:
    """Round 0: every site's statistics as the federation's; their `standardisation()` goes into the model.

    roster: the names that the sites joined under, in place of their addresses. Raises DataError naming the
    site whose answer is malformed or whose records have another schema.
    """
    names = roster.names if roster is not None else {}
    federation = FederationConfig(quorum=quorum, grace=grace, silence=silence)
    return summarise(
        (names.get(address, address), answer.fields.get("statistics", {}))
        for address, answer in _answers(sites, "statistics", list(names) or sites.addresses(), federation)
    )


def _connected(sites: Sites, federation: FederationConfig) -> list[str]:
    """The sites that are there; a deployed run waits for a quorum of them."""
    until = time.monotonic() + federation.silence
    while len(found := sites.addresses()) < federation.quorum and time.monotonic() < until:
        time.sleep(IDLE_SECONDS)
    return found


def _answers(
    sites: Sites,
    question: Question,
    addresses: Collection[str],
    federation: FederationConfig,
    kept: Callable[[Payload], Payload] = lambda answer: answer,
) -> list[tuple[str, Payload]]:
    """Everybody's answers. kept: what is kept of one as it arrives."""
    answers: list[tuple[str, Payload]] = []
    refused: dict[str, str] = {}
    for address, answer in ask_all(sites, question, addresses, federation):
        if isinstance(answer, Payload):
            answers.append((address, kept(answer)))
        else:
            refused[address] = answer.reason
    if refused and (not federation.silence or len(answers) < federation.quorum):
        reasons = "; ".join(reason for _, reason in sorted(refused.items()))
        raise CoordinatorError(
            Code.NO_ANSWER,
            f"a site did not answer {question!r}: {reasons}",
            where=f"site address {', '.join(sorted(refused))}",
            fix=_LOG,
        )
    if not answers:
        raise CoordinatorError(Code.NO_SITE, "no site is connected", fix="start the sites first")
    return answers


def ask_all(
    sites: Sites,
    question: Question,
    addresses: Collection[str],
    federation: FederationConfig,
    request: Payload | None = None,
) -> Iterator[tuple[str, Payload | SiteFailure]]:
    """Ask these once, within the time limits; a site that gave no answer in time has failed.

    request: what all are sent, by default nothing.
    """
    patience = Patience(federation.quorum, federation.grace, federation.silence)
    conversation = Conversation(sites, question)
    conversation.ask(dict.fromkeys(addresses, request or Payload()))
    for arrival in conversation:
        if not isinstance(arrival, Waiting):
            if isinstance(arrival[1], Payload):
                patience.used()
            yield arrival
        elif patience.over:
            break
    late = list(conversation.open)
    conversation.close()
    yield from ((address, SiteFailure("gave no answer in time")) for address in late)


def _same(site: str, what: str, found: Any, expected: Any, fix: str) -> None:
    if found != expected:
        shown = f": {found!s:.64} instead of {expected!s:.64}" if isinstance(found, str) else ""
        raise CoordinatorError(
            Code.DIFFERS, f"a site has another {what}{shown}", where=f"site {site}", fix=fix
        )
