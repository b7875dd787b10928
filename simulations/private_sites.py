"""What differential privacy asks of the sites of a simulation, looked at once they are dealt and before they train."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from shared_model.config import Config


def require_reachable(config: Config, table: pd.DataFrame, sites: Mapping[str, Sequence[str]]) -> None:
    """Raises ConfigError naming privacy.epsilon where no noise is enough for a site of so many training patients.

    table: records with their splits; sites: name -> patients. Nothing where no privacy is asked for.
    """
    if not config.privacy.enabled:
        return
    from client.privacy.dp.plan import require_noise  # Opacus takes seconds to load

    training = set(table.loc[table["split"] == "train", "patient_id"])
    for name, patients in sites.items():
        if config.privacy.covers(name):
            require_noise(config, len(training & set(patients)))
