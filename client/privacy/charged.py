"""The last charge that each run was made, kept with the run and apart from the ledger, which must have it.

A ledger put back from an older copy is sound in itself and knows nothing of what was charged since. Every line's code
rests on all lines before it, so one line of each run is enough to miss any of them: a round that was asked twice and
charged twice, too. Unlike the rounds' own files it stays when a patient is excluded or the rounds have expired.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from client.privacy.errors import LedgerError
from client.privacy.ledger import Entry
from client.site.contents import CHARGED, WORKER
from client.site.state import SiteState


def keep_charge(state: SiteState, entry: Entry) -> None:
    """Remember a charge of a run; call it before anything that was charged for is drawn.

    Raises RunError where the disk refuses: the charge then stands, and nothing may be drawn.
    """
    content = json.dumps({"index": entry.index, "code": entry.code})
    state.write(f"{WORKER}/{entry.run}/{CHARGED}", content.encode())


def require_charges(state: SiteState, entries: Sequence[Entry]) -> None:
    """Raise LedgerError where the ledger (its entries) lacks a charge that was kept, DataError for a file altered."""
    for path in sorted(state.folder.glob(f"{WORKER}/*/{CHARGED}")):
        try:
            kept = json.loads(state.read(f"{WORKER}/{path.parent.name}/{CHARGED}") or b"")
            index, code = int(kept["index"]), str(kept["code"])
        except (ValueError, TypeError, KeyError):
            raise LedgerError(
                "what this site was charged for last cannot be read",
                where=str(path),
                fix="restore the file from a backup made after the run's last round",
            ) from None
        if not 0 <= index < len(entries) or entries[index].code != code:
            raise LedgerError(
                "the privacy ledger lacks a charge that was made at this site",
                where=f"the ledger, and {path}",
                fix="restore ledger and head from a backup made after the last charge; no round is trained until then",
            )
