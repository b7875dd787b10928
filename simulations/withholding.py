"""Unequal hospitals: what a simulated site does not hold is taken out of its records before anything reads them.

It goes for the site's training, validation and test records, and so for every model that is trained or tested on
them: federated, pooled and alone. A modality withheld is missing exactly as one that was never recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from shared_model.errors import ConfigError
from shared_model.records import STRUCTURED

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "text": ("note", "masked_note"),
    "structured": STRUCTURED,
    **{name: (name,) for name in STRUCTURED},
}
Withhold = Mapping[str, Sequence[str]]  # site -> keys of COLUMNS


def withheld(table: pd.DataFrame, sites: Mapping[str, Sequence[str]], withhold: Withhold) -> pd.DataFrame:
    """The table without what each site does not hold; sites: name -> its patients.

    Raises ConfigError naming a site of `withhold` that the partition does not have.
    """
    _require_known(withhold, sites)
    lessened = table.copy() if withhold else table
    for site, names in withhold.items():
        rows = table["patient_id"].isin(set(sites[site]))
        columns = [column for name in names for column in COLUMNS[name]]
        lessened.loc[rows, columns] = np.nan
    return lessened


def notices(withhold: Withhold) -> list[str]:
    """What was taken from whom, a sentence a site."""
    return [
        f"Site {site} was made to do without {' and '.join(names)} (federation.withhold)."
        for site, names in withhold.items()
        if names
    ]


def _require_known(withhold: Withhold, sites: Mapping[str, Sequence[str]]) -> None:
    for site in withhold:
        if site not in sites:
            raise ConfigError(
                f"there is no site {site!r} to withhold anything from",
                where=f"federation.withhold.{site}",
                fix=f"use one of the partition's sites: {', '.join(sites)}",
            )
