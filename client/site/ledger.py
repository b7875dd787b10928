"""The site's privacy ledger, begun once: a missing one is only new where nothing can have been charged to it.

Whatever is entered leaves a trace beside the ledger: a stored answer, a count that a run was told or a run that took
part. A ledger that is missing beside one of these was lost, and stays an error.
"""

from __future__ import annotations

from client.privacy.composition import Composition
from client.privacy.ledger import Ledger
from client.site.config import SiteConfig
from client.site.contents import LEDGER, files, named
from client.site.state import SiteState


def ledger(config: SiteConfig, state: SiteState) -> Ledger:
    """The ledger of this site, with the limit its operator set. Every charge counts, training among them."""
    policy = config.policy
    book = Ledger(
        state.folder / LEDGER,
        state.secret("ledger"),
        policy.epsilon_limit or None,
        Composition(policy.delta_limit),
    )
    traces = ("answers", "registered counts", "participation")
    if not book.begun and not any(files(state.folder, named(trace)) for trace in traces):
        book.create()
    return book
