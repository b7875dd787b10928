"""Which rows each finding is about, in a file that stays at the site, sealed like the quarantine beside it.

The screen and the documents name lines only; whoever mends a warning also needs the record and the patient. It is
written anew by every check.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pandas as pd

from client.adapters import Loaded
from client.check.finding import Finding
from client.site.contents import FOUND
from client.site.state import SiteState

COLUMNS = ("kind", "line", "record", "patient")


def write_findings(state: SiteState, findings: Iterable[Finding], loaded: Loaded) -> None:
    """Put the rows of these findings in place of the last check's; `line` and `patient` are empty where not known."""
    patients = dict(zip(loaded.table["record_id"], loaded.table["patient_id"], strict=True))
    rows = [(finding.kind, *row) for finding in findings for row in _rows(finding, loaded, patients)]
    state.write(FOUND, pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(index=False).encode())


def read_findings(state: SiteState) -> str | None:
    """The rows of the last check's findings as CSV, None where there was no check. It names patients."""
    content = state.read(FOUND)
    return None if content is None else content.decode("utf-8")


def _rows(finding: Finding, loaded: Loaded, patients: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    if len(finding.lines) == len(finding.rows):
        for line, record in zip(finding.lines, finding.rows, strict=True):
            # A refused row may bear the name of a record that is used: its line says whose it is.
            used = loaded.lines.get(record) == line
            yield str(line), record, patients.get(record, "") if used else loaded.owners.get(line, "")
        return
    for record in finding.rows:
        if record in patients:
            yield str(loaded.lines.get(record, "")), record, patients[record]
        else:
            yield "", Path(record).name, ""  # a photograph that no row names
