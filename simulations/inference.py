"""Predictions of a trained run folder over the test records of every site."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from client.data.dataset import SiteDataset
from client.data.images import ImageStore
from client.inference.predict import predict
from client.worker.resident import resident_model
from server.store import RunFolder
from shared_model.config import Config
from shared_model.exchange import write_tensors
from shared_model.exchange.parameters import Arrays
from shared_model.metrics.predictions import Predictions
from shared_model.statistics import Standardisation

WEIGHTS = ("last", "best")


def test_predictions(
    config: Config, folder: RunFolder, table: pd.DataFrame, images: ImageStore, sites: Mapping[str, str]
) -> dict[str, Predictions]:
    """Predictions with the last and with the best-validation weights, over all test records of `table`."""
    resident = resident_model(config)
    standardisation = Standardisation.from_dict(folder.load_json("standardisation.json"))
    tested = table[table["split"] == "test"]
    dataset = SiteDataset(tested, images, resident.tokenizer, standardisation)
    found: dict[str, Predictions] = {}
    for name in WEIGHTS:
        weights = folder.load_weights(name)
        if name == "best" and _equal(weights, folder.load_weights("last")):
            found[name] = found["last"]  # the last round was the best one
            continue
        write_tensors(resident.objective, weights)
        found[name] = predict(
            resident.objective.model,
            dataset,
            np.arange(len(dataset)),
            sites,
            mask_notes=config.losses.mask_notes,
            batch_size=config.evaluation.batch_size,
        )
    return found


def _equal(a: Arrays, b: Arrays) -> bool:
    return all(np.array_equal(array, b[name]) for name, array in a.items())
