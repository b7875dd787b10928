"""Which of its patients a site's runs learn from: how well a model does on them proves nothing.

The split follows from the site's salted pseudonyms, so it is known wherever the site's state is: with site.toml. The
record of participation is asked too, since the settings of the split may have changed after a run.
"""

from __future__ import annotations

from collections.abc import Sequence

from client.rights.participation import trained_patients
from client.site.prepare import split_of
from client.site.state import SiteState
from client.use.cases import Cases
from client.use.grading import Graded
from shared_model.errors import DataError
from shared_model.records import TEXT


def learnt_from(of: Cases, cases: Sequence[Graded]) -> frozenset[str] | None:
    """The patients, as the site names them, whom a run here trains or validates on; None where nobody can tell.

    of: what was graded, cases: each with the digest of its photograph. Nothing is told without a site.toml, or where
    the site keeps no state, so that it has no pseudonyms, or where its split.csv cannot be followed.
    """
    site = of.site
    if site is None or not site.state.exists():
        return None
    state = SiteState.open(site.state, site.key, encrypt=site.storage.encrypt)
    digests = {case.record: case.digest for case in cases if not case.lost and case.digest}
    table = of.table[of.table["record_id"].isin(digests) & ~of.table["record_id"].isin(of.nameless)]
    pseudonyms = {name: state.patient(name) for name in table["patient_id"].unique()}
    hidden = table.assign(patient_id=table["patient_id"].map(pseudonyms).astype(TEXT))
    try:
        split = split_of(hidden, site, digests)
    except DataError:
        return None
    learnt = set(split.loc[split["split"] != "test", "patient_id"]) | trained_patients(state)
    return frozenset(name for name, pseudonym in pseudonyms.items() if pseudonym in learnt)
