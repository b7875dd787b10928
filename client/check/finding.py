"""One row of what `check` found: what, where, how many, how to mend it.

Everything that looks at a site's data answers in this one shape, so that the screen, the report, the JSON document and
the verdict are all readings of the same list. `what`, `where` and `fix` are written so that they may be pasted into a
mail to a stranger: lines and columns, never a name, an identifier, a path or a value. `rows` names records and stays
at the site.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Level = Literal["blocks", "costs_rows", "warning", "note"]
LEVELS: tuple[Level, ...] = ("blocks", "costs_rows", "warning", "note")
"""From what stops a site to what is merely worth knowing: the order in which findings are shown."""

SHOWN_LINES = 8
_TOP = r"{folder}/([^/,:]+\.(?:csv|tsv|txt|json|parquet|pq|toml))(, line [0-9]+)?"


@dataclass(frozen=True)
class Finding:
    """`level`: `costs_rows` where the rows are quarantined, `warning` where nothing is removed."""

    kind: str
    level: Level
    what: str
    where: str
    count: int
    fix: str
    rows: tuple[str, ...] = ()
    # Of the source table, all of them; one for each of rows where there are as many, else in order.
    lines: tuple[int, ...] = ()


def place(table: str, lines: Iterable[int], column: str = "") -> str:
    """`labels.csv: column patient_age, lines 12, 40, 77 ... (31 more)`: where to look in the source table."""
    ordered = sorted(set(lines))
    if not ordered:
        return f"{table}: column {column}" if column else table
    shown = ", ".join(str(line) for line in ordered[:SHOWN_LINES])
    more = f" ... ({len(ordered) - SHOWN_LINES} more)" if len(ordered) > SHOWN_LINES else ""
    word = "line" if len(ordered) == 1 else "lines"
    return f"{table}: {f'column {column}, ' if column else ''}{word} {shown}{more}"


def place_of(records: Iterable[str], table: str, lines: Mapping[str, int], column: str = "") -> str:
    """`place` for records, by the lines they were read from; a record of unknown line is left out."""
    return place(table, (lines[record] for record in records if record in lines), column)


def place_in(folder: Path, where: str) -> str:
    """What may be passed on of an error's `where`: a table at the top of the data folder and its line."""
    found = re.match(_TOP.format(folder=re.escape(str(folder))), where)
    return "".join(part or "" for part in found.groups()) if found else "the data folder"
