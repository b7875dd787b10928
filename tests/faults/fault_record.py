"""What each fault did, as a line of JSON: docs/faults.md is made of them (`python tests/faults/fault_table.py`)."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

VARIABLE = "FEDFUNDUS_FAULTS_RECORD"  # the file; runs/faults.jsonl where it is not set
DEFAULT = Path(__file__).parents[2] / "runs" / "faults.jsonl"


@dataclass(frozen=True)
class Row:
    """group: which table. event: what was done. happened: what followed. rounds_lost: complete rounds that were lost.

    seconds: what Runs.recovered gives, which is the one definition of it; None where the run ends by the fault, or
    nothing was at fault.
    """

    group: str
    event: str
    happened: str
    rounds_lost: int
    seconds: float | None


def place() -> Path:
    return Path(os.environ.get(VARIABLE) or DEFAULT)


class Recorder:
    """Appends rows; what was recorded of the same event before counts no more."""

    def __call__(
        self, group: str, event: str, happened: str, rounds_lost: int, seconds: float | None
    ) -> None:
        place().parent.mkdir(parents=True, exist_ok=True)
        row = Row(group, event, happened, rounds_lost, None if seconds is None else round(seconds, 1))
        with place().open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(row)) + "\n")


def recorded() -> list[Row]:
    """The last row of each event, in the order in which events were first recorded."""
    rows: dict[tuple[str, str], Row] = {}
    for line in place().read_text(encoding="utf-8").splitlines():
        row = Row(**json.loads(line))
        rows[row.group, row.event] = row
    return list(rows.values())
