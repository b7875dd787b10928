"""Predictions of a trained run folder over the test records of every site.

What frozen blocks make of a photograph or note is read from the run's cache where it has one, as a deployed site reads
it from its own, so that neither the weights nor the models of a run cost a pass of their own, and both tell the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from client.cache.trunk_cache import FOLDER, Reading, TrunkCache
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
    config: Config,
    folder: RunFolder,
    table: pd.DataFrame,
    images: ImageStore,
    sites: Mapping[str, str],
    workspace: Path,
) -> dict[str, Predictions]:
    """Predictions with the last and with the best-validation weights, over all test records of `table`.

    workspace: of the run, whose cache of features is used where it has one.
    """
    resident = resident_model(config)
    standardisation = Standardisation.from_dict(folder.load_json("standardisation.json"))
    tested = table[table["split"] == "test"]
    found: dict[str, Predictions] = {}
    reading = Reading(resident.objective.model, resident.tokenizer, standardisation, config)
    with read_through(workspace, tested, images, reading) as dataset:
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


@contextmanager
def read_through(
    workspace: Path | None, table: pd.DataFrame, images: ImageStore, reading: Reading
) -> Iterator[SiteDataset]:
    """The records as tensors, with the features that the run in `workspace` keeps; None for none.

    They are let go of at the end, so that the disk space is free once the workspace is removed.
    """
    if workspace is None:
        yield SiteDataset(table, images, reading.tokenizer, reading.standardisation)
        return
    with closing(TrunkCache(workspace / FOLDER)) as cache:
        yield cache.dataset(table, images, reading)


def _equal(a: Arrays, b: Arrays) -> bool:
    return all(np.array_equal(array, b[name]) for name, array in a.items())
