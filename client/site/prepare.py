"""From site.toml to what a worker works on: records under pseudonyms, their split, their photographs.

The hospital's own ids end here. Everything after this module knows a patient by a keyed hash whose salt stays
at the site; excluded patients and modalities that the policy keeps back are gone before anything is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import pandas as pd

from client.adapters import Loaded, load
from client.data.images import ImageStore, build_image_store
from client.data.split import assign_splits
from client.rights.exclude import excluded
from client.site.config import SiteConfig
from client.site.contents import IMAGES
from client.site.state import SiteState
from shared_model.config import load_config
from shared_model.errors import DataError, FedFundusError
from shared_model.records import FINDINGS, STRUCTURED, TEXT

_SALTED_SEED = 0  # the split follows from salted ids, so the seed need not be secret, nor may a run choose it

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Prepared:
    """table: canonical records under pseudonyms, with splits; images: their photographs at `size` pixels;
    quarantine: rows left out, with the source's own names (it stays at the site); notices: for the operator.
    """

    table: pd.DataFrame
    images: ImageStore
    quarantine: pd.DataFrame
    notices: list[str]


def read(config: SiteConfig, *, mask_notes: bool = True) -> Loaded:
    """The site's records under the hospital's own ids, as its adapter gives them; mask_notes as for `load`."""
    return load(
        config.folder,
        config.data.adapter,
        options=config.options,
        mask_notes=mask_notes,
        mask_identifiers=config.policy.mask_identifiers,
    )


def readable_table(config: SiteConfig) -> pd.DataFrame | None:
    """The records under the hospital's own ids; None where the data cannot be read now."""
    try:
        return read(config).table
    except FedFundusError:
        return None


def prepare(
    config: SiteConfig,
    state: SiteState,
    size: int,
    progress: Progress | None = None,
    *,
    mask_notes: bool = True,
) -> Prepared:
    """Everything a worker of this site needs; size: side of the photographs in pixels, the model's.

    Raises DataError where nobody is left to train on.
    """
    loaded = pseudonymous(read(config, mask_notes=mask_notes), state)
    table = keep_back(loaded.table, config.policy.share)
    barred = excluded(state)
    allowed = table[~table["patient_id"].isin(barred)].reset_index(drop=True)
    if allowed.empty:
        raise DataError(
            "No patient of this site may be used: all are excluded.",
            where=str(config.file),
            fix="Add data of other patients.",
        )
    images, unreadable = build_image_store(
        allowed,
        state.folder / IMAGES,
        size,
        config.resources.processes or None,
        progress,
        lines=loaded.lines,
        vault=state.vault,
    )
    split = split_of(images.usable(allowed), config, images.digests)
    quarantine = pd.concat([loaded.quarantine, unreadable], ignore_index=True)
    return Prepared(split, images, quarantine, list(loaded.notices))


def split_of(table: pd.DataFrame, config: SiteConfig, digests: Mapping[str, str]) -> pd.DataFrame:
    """The records, patients under pseudonyms, with their sides, the same in every run of this site's life.

    digests: record -> digest of its photograph, since patients who share one stay together.
    """
    train, validation = config.split.train, config.split.validation
    fractions = (train, validation, 1.0 - train - validation)
    return assign_splits(table, seed=_SALTED_SEED, fractions=fractions, digests=digests)


def pseudonymous(loaded: Loaded, state: SiteState) -> Loaded:
    """The same records with patient, record and visit under pseudonyms; the problem tables keep the source's."""
    table = loaded.table
    patients = table["patient_id"].map({name: state.patient(name) for name in table["patient_id"].unique()})
    records = [state.record(name) for name in table["record_id"]]
    visits = [
        None if pd.isna(visit) else state.visit(patient, visit)
        for patient, visit in zip(patients, table["visit"], strict=True)
    ]
    hidden = table.assign(
        record_id=pd.Series(records, dtype=TEXT),
        patient_id=patients.astype(TEXT),
        visit=pd.Series(visits, dtype=TEXT),
    )
    lines = {state.record(name): line for name, line in loaded.lines.items()}
    return replace(loaded, table=hidden, lines=lines)


def keep_back(table: pd.DataFrame, share: tuple[str, ...]) -> pd.DataFrame:
    """The table without what the policy keeps back: notes and findings, or the structured values."""
    blank: list[str] = []
    if "text" not in share:
        blank += ["note", "masked_note", *(f"finding_{name}" for name in FINDINGS)]
    if "structured" not in share:
        blank += STRUCTURED
    nothing = [None] * len(table)
    return table.assign(**{name: pd.Series(nothing, dtype=table[name].dtype) for name in blank})


def image_size(config: SiteConfig) -> int:
    """Side in pixels of the photographs of the preset this site counts on."""
    return load_config(config.resources.preset).model.image.size
