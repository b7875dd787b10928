"""The sites of a run whose plan is signed: joining brings the plan, and every other question names it.

A site's worker answers for an approved plan only, and a question that does not name the plan at work is refused
there; so the two are put on in one place, whoever asks and whoever carries it. The same place writes down what
arrives, under the id that the site has written down for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from server.sites import Carried, Question, SiteFailure, Sites, Waiting
from shared_model.errors import DataError
from shared_model.exchange import Payload
from shared_model.exchange.message_id import MESSAGE_ID, message_id
from shared_model.exchange.packed import opened, packed
from shared_model.printable import NAME, printable
from shared_model.run_plan import PLAN, SIGNED_PLAN, SignedPlan

PLAN_FILE = "plan.json"  # in the run's folder
Heard = Callable[..., None]  # an event and its details, into the audit log


class PlannedSites:
    """server.sites.Sites over others, for one signed plan. heard: writes down every answer that arrives."""

    def __init__(self, sites: Sites, signed: SignedPlan, heard: Heard = lambda event, **detail: None) -> None:
        self._sites = sites
        self._signed = signed
        self._heard = heard

    def addresses(self) -> list[str]:
        """As the others say."""
        return self._sites.addresses()

    def ask(
        self, question: Question, payloads: Mapping[str, Payload]
    ) -> Iterator[tuple[str, Payload | SiteFailure] | Waiting | Carried]:
        """As the others ask; a site that joined under another plan has not joined.

        Tensors travel as one (shared_model.exchange.packed), and payloads that share theirs go on sharing.
        """
        added = {SIGNED_PLAN: self._signed.to_field()} if question == "join" else {PLAN: self._signed.sha256}
        tensors: dict[int, Payload] = {}
        for given in payloads.values():
            if id(given.arrays) not in tensors:
                tensors[id(given.arrays)] = packed(Payload(given.arrays))
        planned = {
            address: Payload(one.arrays, given.fields | one.fields | added)
            for address, given in payloads.items()
            for one in [tensors[id(given.arrays)]]
        }
        for found in self._sites.ask(question, planned):
            if isinstance(found, tuple) and isinstance(found[1], Payload):
                yield found[0], self._read(question, found[0], found[1])
            else:
                yield found

    def _read(self, question: Question, address: str, answer: Payload) -> Payload | SiteFailure:
        if question == "join" and answer.fields.get(PLAN) != self._signed.sha256:
            return SiteFailure("joined under another run plan than the one it was sent")
        try:
            found = opened(answer)
        except ValueError as error:
            return SiteFailure(f"sent {error}")
        identity = message_id(found)
        about: dict[str, Any] = {
            "question": question,
            "site": printable(str(found.fields.get("site", "")), NAME),
        }
        number = found.fields.get("round")
        if isinstance(number, int):
            about["round"] = number
        self._heard("received", **about, node=address, id=identity)
        return Payload(found.arrays, found.fields | {MESSAGE_ID: identity})


def planned(sites: Sites, folder: Path, heard: Heard = lambda event, **detail: None) -> Sites:
    """The sites under the plan that lies in the run's folder; as they are where there is none (simulation)."""
    file = folder / PLAN_FILE
    if not file.is_file():
        return sites
    try:
        signed = SignedPlan.of(json.loads(file.read_text(encoding="utf-8")))
    except ValueError:
        raise DataError("the run's plan is damaged", where=str(file), fix="launch the run again") from None
    return PlannedSites(sites, signed, heard)
