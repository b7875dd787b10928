"""One site for every value of a column: the patient goes where most of the patient's photographs are."""

from __future__ import annotations

from collections import defaultdict

from shared_model.errors import ConfigError, DataError
from shared_model.metrics.document import EVERY_SITE
from simulations.partitions.dealt import Dealt, slugs
from simulations.partitions.units import Unit


def by_column(units: list[Unit], column: str, sites: int | None) -> Dealt:
    """Sites by the values of `column`, in the order of their names.

    sites: how many were asked for, None for as many as there are. Raises DataError where no value is recorded
    or one is called "all", and ConfigError where another number was asked for. Patients without a value belong
    to no site and are said.
    """
    held: dict[str, list[Unit]] = defaultdict(list)
    left_out = mixed = 0
    for unit in units:
        value = unit.most_frequent(column)
        if value is None:
            left_out += len(unit.patients)
            continue
        mixed += len(set(unit.places[column])) > 1
        held[value].append(unit)
    if not held:
        raise DataError(
            f"No {column} is recorded.",
            where=f"column {column}",
            fix="Use --partition dirichlet or iid, which need none.",
        )
    require_count(len(held), sites, f"{column}s", ", ".join(sorted(held)))
    names = slugs(sorted(held))
    _require_names(names, column)
    notices = []
    if left_out:
        notices.append(f"{left_out} patients have no {column} recorded: they take part at no site.")
    if mixed:
        notices.append(
            f"{mixed} patients (or groups who share a photograph) have several {column}s: "
            "each is kept whole, where most of the photographs are."
        )
    return Dealt({slug: held[name] for name, slug in names.items()}, notices=notices)


def _require_names(names: dict[str, str], column: str) -> None:
    """Refuse, before anything is trained, the name under which the figures of all sites together are reported."""
    for name, slug in names.items():
        if slug == EVERY_SITE:
            raise DataError(
                f"A {column} is called {name!r}, which would be taken for all sites together.",
                where=f"column {column}",
                fix=f"Rename that {column}.",
            )


def require_count(found: int, asked: int | None, noun: str, which: str) -> None:
    """Raise ConfigError where another number of sites was asked for than the data has."""
    if asked is not None and asked != found:
        raise ConfigError(
            f"The data has {found} {noun}, not {asked}.",
            where=f"--sites {asked}; there are: {which}",
            fix=f"Leave --sites out, use --sites {found}, or --partition dirichlet or iid.",
        )
