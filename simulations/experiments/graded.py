"""The grades one model gave, photograph by photograph, kept beside its result.

Figures alone cannot say whether two models differ on the same patients; with these their difference has an interval
without either model being read again.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from shared_model.files import write_bytes
from shared_model.metrics.predictions import Predictions

GRADED = "graded.parquet"
TASK = "icdr"
GIVEN = ("all", "image")  # the inputs whose grades are kept


def write_graded(folder: Path, predictions: Predictions) -> None:
    """Write record, patient, site, `truth` and a column for each of GIVEN; -1 where there is no grade."""
    table = pd.DataFrame(
        {
            "record": predictions.record,
            "patient": predictions.patient,
            "site": predictions.site,
            "truth": predictions.labels(TASK),
            **{given: predictions.predicted(TASK, given) for given in GIVEN},
        }
    )
    write_bytes(folder / GRADED, table.to_parquet())


def read_graded(folder: Path) -> pd.DataFrame | None:
    """What write_graded wrote, None where it is absent or damaged."""
    try:
        return pd.read_parquet(folder / GRADED)
    except (OSError, ValueError):
        return None
