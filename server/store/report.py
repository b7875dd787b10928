"""What `status`, `runs` and `withdraw` say, as JSON values: from the database alone."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from server.moved import MEMORY, front_log
from server.services.nodes import FOLDER, site_of_node
from server.store import audit
from server.store.runs import RunRow, RunStore
from shared_model.errors import FedFundusError
from shared_model.privacy_statement import site_labels

EXCHANGED = ("round", "bytes_up", "bytes_down", "wire_up", "wire_down")
WAITS = "waits for sites"  # event of the audit log; refused: address -> why it does not join


def run_document(store: RunStore, row: RunRow) -> dict[str, Any]:
    """One run in full: where it stands, who took part, what was not used, how good it is so far.

    sites: with `privacy`, what the run promises the patients of each, null where it is no private run or where
    its configuration cannot be read.
    exchanged: bytes of the last round whose validation is known. moved_bytes: of models and updates through the front
    since the run was launched, whichever run they were of.
    """
    database, folder = store.database, store.open(row.run)
    history, launched = folder.history(), datetime.fromisoformat(row.created).timestamp()
    sites = database.rows(  # beside one MAX, SQLite gives the other columns of the row that has it
        "SELECT site, COUNT(*) AS rounds, MAX(round) AS last, examples, skipped, data, package, epsilon, "
        "(SELECT SUM(o.steps) FROM participation o WHERE o.run = p.run AND o.site = p.site AND o.round <= ?) AS steps "
        "FROM participation p WHERE run = ? AND round <= ? GROUP BY site ORDER BY site",
        row.complete,
        row.run,
        row.complete,
    )
    left_out = database.rows(
        "SELECT round, site, kind, reason, at FROM quarantine WHERE run = ? ORDER BY at", row.run
    )
    labels = _privacy_labels(store, row.run, [site["site"] for site in sites])
    return {
        **asdict(row),
        "sites": [{**site, "privacy": labels.get(site["site"])} for site in sites],
        "participation": participation(store, row.run),
        "not_used": [dict(line) for line in left_out],
        "validation": history[-1]["validation"] if history else None,
        "exchanged": {name: history[-1].get(name) for name in EXCHANGED} if history else None,
        "suspended": suspended(store),
        "waits_for": _waits_for(store, row),
        "moved_bytes": front_log(store.folder, launched, folder.path / MEMORY).moved(),
        "audit_head": audit.head(database),
    }


def _privacy_labels(store: RunStore, run: str, sites: list[str]) -> dict[str, str]:
    """By site; "unknown" where the configuration is gone, altered, or of a release that this one cannot read."""
    try:
        return site_labels(store.config(run), sites)
    except FedFundusError:
        return dict.fromkeys(sites, "unknown: the run's configuration cannot be read")


def participation(store: RunStore, run: str) -> list[dict[str, Any]]:
    """Who took part in each complete round: photographs used and skipped, data, package, plan; and of those who trained
    under differential privacy, epsilon so far and the steps of the round, null of the others.
    """
    rows = store.database.rows(
        "SELECT p.round, p.site, p.examples, p.skipped, p.data, p.package, p.plan, p.epsilon, p.steps, p.at "
        "FROM participation p JOIN runs r ON r.run = p.run WHERE p.run = ? AND p.round <= r.complete "
        "ORDER BY p.round, p.site",
        run,
    )
    return [dict(row) for row in rows]


def _waits_for(store: RunStore, row: RunRow) -> dict[str, Any] | None:
    """What a run that has not begun waits for: its quorum, who is connected, who does not join and why."""
    found: dict[str, Any] | None = None
    for line in audit.lines(store.database, row.run):
        found = line["detail"] if line["event"] == WAITS else None if line["event"] == "began" else found
    if found is None or row.state != "running":
        return None
    names = site_of_node(store.folder / FOLDER)
    refused = {names.get(address, address): why for address, why in found["refused"].items()}
    return found | {"refused": refused}


def suspended(store: RunStore) -> list[dict[str, Any]]:
    """Sites that no run asks until a person readmits them."""
    query = "SELECT site, run, round, reason, at FROM suspensions WHERE readmitted IS NULL ORDER BY at"
    return [dict(row) for row in store.database.rows(query)]


def taken_part(store: RunStore, site: str) -> list[dict[str, Any]]:
    """Every run whose model a site's updates are in, oldest first: rounds, registered photographs, exported models."""
    rows = store.database.rows(
        "SELECT p.run, r.federation, r.created, r.state, r.canary, MIN(p.round) AS first, MAX(p.round) AS last, "
        "COUNT(*) AS rounds, MAX(p.examples) AS examples FROM participation p JOIN runs r ON r.run = p.run "
        "WHERE p.site = ? AND p.round <= r.complete GROUP BY p.run ORDER BY r.created",
        site,
    )
    return [
        {**dict(row), "canary": bool(row["canary"]), "exports": exports(store, row["run"])} for row in rows
    ]


def exports(store: RunStore, run: str) -> list[dict[str, Any]]:
    """The models of a run that were handed out."""
    query = "SELECT at, weights, sha256 FROM exports WHERE run = ? ORDER BY at"
    return [dict(row) for row in store.database.rows(query, run)]


def knows_site(store: RunStore, site: str) -> bool:
    """Whether a site of this name was ever part of a round, or suspended."""
    query = "SELECT 1 FROM {} WHERE site = ? LIMIT 1"
    tables = ("participation", "quarantine", "suspensions")
    return any(store.database.rows(query.format(table), site) for table in tables)
