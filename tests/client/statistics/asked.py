"""What the tests of answered questions share: a key, a policy, and a site that some patients have left."""

from __future__ import annotations

import pandas as pd

from client.statistics.policy import Policy

KEY = b"secret of the site"
POLICY = Policy(minimum_cell=5)


def without(table: pd.DataFrame, patients: int) -> pd.DataFrame:
    return table.iloc[patients:].reset_index(drop=True)
