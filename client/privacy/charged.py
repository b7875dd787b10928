"""The last charges of a site, kept apart from the ledger, which must have them.

A ledger put back from an older copy is sound in itself and knows nothing of what was entered since. Every line's code
rests on all lines before it, so the last line is enough to miss any of them: a round's steps, noisy statistics, what
was told without cost. Each run that trains privately keeps its own last line beside that, so that one file lost is not
all. Unlike the rounds' own files they stay when a patient is excluded or the rounds have expired.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from client.privacy.composition import TRAINING
from client.privacy.errors import LedgerError
from client.privacy.ledger import Entry
from client.site.contents import CHARGED, WORKER
from client.site.state import SiteState


def keep_charge(state: SiteState, entry: Entry) -> None:
    """Remember an entry; call it under the ledger's lock, before anything that was charged for is drawn.

    Raises RunError where the disk refuses: the charge then stands, and nothing may be drawn.
    """
    content = json.dumps({"index": entry.index, "code": entry.code}).encode()
    if entry.what == TRAINING:
        state.write(f"{WORKER}/{entry.run}/{CHARGED}", content)
    state.write(CHARGED, content)


def require_charges(state: SiteState, entries: Sequence[Entry]) -> None:
    """Raise LedgerError where the ledger (its entries) lacks a charge that was kept, DataError for a file altered."""
    of_runs = [
        f"{WORKER}/{path.parent.name}/{CHARGED}" for path in state.folder.glob(f"{WORKER}/*/{CHARGED}")
    ]
    for name in [CHARGED, *sorted(of_runs)]:
        content, path = state.read(name), state.path(name)
        if content is None:
            continue
        try:
            kept = json.loads(content)
            index, code = int(kept["index"]), str(kept["code"])
        except (ValueError, TypeError, KeyError):
            raise LedgerError(
                "what this site was charged for last cannot be read",
                where=str(path),
                fix="restore the file from a backup made after the last charge",
            ) from None
        if not 0 <= index < len(entries) or entries[index].code != code:
            raise LedgerError(
                "the privacy ledger lacks a charge that was made at this site",
                where=f"the ledger, and {path}",
                fix="restore ledger and head from a backup made after the last charge; nothing is charged until then",
            )
