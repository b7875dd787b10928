"""The site's privacy ledger, begun once: a missing one is only new where nothing can have been charged to it.

Whatever is entered leaves a trace beside the ledger: the last charge, a stored answer, a count that a run was told or
a run that took part. A ledger that is missing beside one of these was lost, and stays an error. Who only looks begins
nothing.
"""

from __future__ import annotations

from client.privacy.charged import keep_charge, require_charges
from client.privacy.composition import Composition
from client.privacy.ledger import Entry, Ledger
from client.site.config import SiteConfig
from client.site.contents import LEDGER, files, named
from client.site.state import SiteState


def ledger(config: SiteConfig, state: SiteState) -> Ledger:
    """The ledger of this site, with the limit its operator set. Every charge counts, training among them."""
    book = _book(config, state)
    return book.created() if _is_new(book, state) else book


def charges(config: SiteConfig, state: SiteState) -> list[Entry]:
    """All that was charged, the oldest first; nothing is written, and a site that has no ledger yet has none.

    Raises LedgerError where the ledger is lost or not as it was written.
    """
    book = _book(config, state)
    return [] if _is_new(book, state) else book.entries()


def _book(config: SiteConfig, state: SiteState) -> Ledger:
    policy = config.policy
    return Ledger(
        state.folder / LEDGER,
        state.secret("ledger"),
        policy.epsilon_limit or None,
        Composition(policy.delta_limit),
        lambda entries: require_charges(state, entries),
        lambda entry: keep_charge(state, entry),
    )


def _is_new(book: Ledger, state: SiteState) -> bool:
    """Whether there is no ledger and never was."""
    traces = ("last charges", "answers", "registered counts", "participation")
    # In this order: traces are left after the ledger is begun, so that a site in its first round does not look lost.
    traced = any(files(state.folder, named(trace)) for trace in traces)
    return not traced and not book.begun
