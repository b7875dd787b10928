"""The rows that cannot be used, with their reasons, in a file that stays at the site.

It names records, so it is written into the site's state, sealed like everything there; `fedfundus-site quarantine`
prints it. It is written anew by every check, so that a row that was mended is no longer in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from client.adapters import Loaded
from client.site.contents import QUARANTINE
from client.site.state import SiteState

COLUMNS = ("source", "line", "record", "patient", "column", "reason")
UNCLAIMED = "no row names this photograph"


def quarantined(loaded: Loaded, unreadable: Mapping[str, str]) -> pd.DataFrame:
    """What is set aside: rows the adapter refused, rows whose photograph cannot be read, photographs without a row.

    unreadable: record -> why its photograph cannot be used. `line` is empty where there is none; `patient` where it
    is not known.
    """
    rows: list[tuple[str, str, str, str, str, str]] = [
        (loaded.source, str(row), record, loaded.owners.get(row, ""), column, reason)
        for row, record, column, reason in loaded.quarantine.itertuples(index=False)
    ]
    patients = dict(zip(loaded.table["record_id"], loaded.table["patient_id"], strict=True))
    rows += [
        (loaded.source, str(loaded.lines.get(record, "")), record, patients[record], "photograph", reason)
        for record, reason in unreadable.items()
    ]
    rows += [("", "", Path(path).name, "", "photograph", UNCLAIMED) for path in loaded.unclaimed]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def write_quarantine(state: SiteState, rows: pd.DataFrame) -> None:
    """Put these rows in place of the last check's."""
    state.write(QUARANTINE, rows.to_csv(index=False).encode())
