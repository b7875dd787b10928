"""The sites of a deployed run under the names that their certificates carry, whatever they call themselves.

A name decides who is suspended, barred and withdrawn, and whose data a model is said to hold. SuperLink knows a node
by its key; the coordinator wrote down whose key that is (server.services.nodes) when it registered the nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from server.sites import Carried, Question, SiteFailure, Sites, Waiting
from shared_model.exchange import Payload

REFUSED = "gives the name of another site than its node key was made for"


class OwnNames:
    """server.sites.Sites over others. names: node to the site it was registered for; nodes it lacks pass as they are,
    since SuperLinks that were not started by `fedfundus-coordinator start` were told of theirs by a person.
    """

    def __init__(self, sites: Sites, names: Callable[[], Mapping[str, str]]) -> None:
        self._sites = sites
        self._names = names

    def addresses(self) -> list[str]:
        """As the others say."""
        return self._sites.addresses()

    def ask(
        self, question: Question, payloads: Mapping[str, Payload]
    ) -> Iterator[tuple[str, Payload | SiteFailure] | Waiting | Carried]:
        """As the others ask; a site that joins under another's name has not joined."""
        for found in self._sites.ask(question, payloads):
            if question == "join" and isinstance(found, tuple) and isinstance(found[1], Payload):
                known = self._names().get(found[0])
                if known is not None and found[1].fields.get("site") != known:
                    yield found[0], SiteFailure(REFUSED)
                    continue
            yield found
