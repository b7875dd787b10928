"""docs/faults.md out of what the tests recorded: `python tests/faults/fault_table.py` (after `make faults`).

Nothing in the tables is written by hand; an event that the tests have and the record has not is named as missing.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1] / "client"))
sys.path.insert(0, str(Path(__file__).parent))

from fault_record import Row, place, recorded

DOCUMENT = Path(__file__).parents[2] / "docs" / "faults.md"
PAGE = Path(__file__).with_name("fault_page.md")
TITLES = {
    "kill": "kill -9 in the middle of a round",
    "site": "A site that misbehaves",
    "lost": "Sites that are lost",
    "disk": "Full disks",
    "line": "A slow line, and one that is cut",
}


def expected() -> list[str]:
    """The events that are one each of a list in the tests."""
    from test_kills_over_flower import KILLS, killed
    from test_sites_that_misbehave import REASONS, misbehaves

    return [killed(who, where) for who, where in KILLS] + [misbehaves(kind) for kind in REASONS]


def table(rows: list[Row]) -> str:
    lines = ["| event | what happened | rounds lost | recovered after |", "|---|---|---|---|"]
    for row in rows:
        seconds = "-" if row.seconds is None else f"{row.seconds:.0f} s"
        lines.append(f"| {row.event} | {row.happened} | {row.rounds_lost} | {seconds} |")
    return "\n".join(lines)


def document(rows: list[Row], when: datetime, note: str = "") -> str:
    """note: what there is to say of this recording."""
    parts = [f"Recorded up to {when:%Y-%m-%d}. {note}".strip() + "\n"]
    if missing := [event for event in expected() if event not in {row.event for row in rows}]:
        parts.append(f"**Not recorded, so not in the tables:** {'; '.join(missing)}.\n")
    for group, title in TITLES.items():
        own = [row for row in rows if row.group == group]
        if own:
            parts.append(f"## {title}\n\n{table(own)}\n")
    return PAGE.read_text(encoding="utf-8").replace("@tables@\n", "\n".join(parts))


if __name__ == "__main__":
    if not place().exists():
        sys.exit(f"nothing was recorded at {place()}: run the tests of tests/faults first")
    when = datetime.fromtimestamp(place().stat().st_mtime, UTC)
    DOCUMENT.write_text(document(recorded(), when, " ".join(sys.argv[1:])), encoding="utf-8")
    print(f"wrote {DOCUMENT}")
