"""Decisions of a person about a site: readmitted, or withdrawn for good."""

from __future__ import annotations

from server.errors import Code, CoordinatorError
from server.store import audit
from server.store.database import now
from server.store.report import knows_site
from server.store.runs import RunStore


def readmit(store: RunStore, site: str) -> None:
    """The site may be asked again, by a run under way too. Raises CoordinatorError where it is not suspended."""
    with store.database.writing() as connection:
        done = connection.execute(
            "UPDATE suspensions SET readmitted = ? WHERE site = ? AND readmitted IS NULL", (now(), site)
        )
        if done.rowcount == 0:
            raise CoordinatorError(
                Code.NO_SITE_OF_THAT_NAME,
                "no site of this name is suspended",
                where=site,
                fix="fedfundus-coordinator status shows who is",
            )
        audit.append(connection, "", "readmitted", {"site": site})


def bar(store: RunStore, site: str) -> None:
    """No run asks the site any more: it has withdrawn."""
    with store.database.writing() as connection:
        connection.execute("INSERT INTO suspensions VALUES (?, '', 0, 'withdrawn', ?, NULL)", (site, now()))
        audit.append(connection, "", "withdrawn", {"site": site})


def require_known(store: RunStore, site: str) -> None:
    """Raise CoordinatorError for a name that never took part: a slip must not look like an answer."""
    if not knows_site(store, site):
        raise CoordinatorError(
            Code.NO_SITE_OF_THAT_NAME,
            "no site of this name is in the record",
            where=site,
            fix="fedfundus-coordinator status RUN lists the sites of a run",
        )
