"""A photograph, a form and a note taken back out of what one site sent, for one view at one moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from client.training.sampling import step_rows
from shared_model.config import Config
from shared_model.records import TEXT
from shared_model.statistics import Standardisation
from simulations.audit import closed_form, search, stem, words
from simulations.audit.attacker import Attacker
from simulations.audit.exposures import Exposure, Kind, Scene, expose
from simulations.audit.likeness import likeness
from simulations.audit.planted import rare_words
from simulations.audit.search import Range
from simulations.audit.views import View, all_shared

MEAN_OF = 64  # photographs of the attacker's own, of which it knows the mean
TRUST = 1e-6  # see closed_form.photograph
CONTROL = "all shared, plain patches"


def control(base: Config) -> View:
    """Everything trained and shared, and a photograph read through a plain patch embedding, as in `paper`."""
    image = base.model.image.model_copy(update={"stem": "patch", "frozen_blocks": 0})
    text = base.model.text.model_copy(update={"freeze_embeddings": False, "frozen_blocks": 0})
    model = base.model.model_copy(update={"image": image, "text": text})
    return View(CONTROL, all_shared(base.model_copy(update={"model": model})))


def with_rare_word(target: pd.DataFrame, word: str) -> pd.DataFrame:
    """The target's record with a word in its note that nobody else's has, such as a name that masking missed."""
    changed = {
        name: (target[name].fillna("") + f" {word}").str.strip().astype(TEXT)
        for name in ("note", "masked_note")
    }
    return target.assign(**changed)


def pick(table: pd.DataFrame, rare: str, number: int = 0) -> pd.DataFrame:
    """A training patient with one photograph, a note and a form, the one with the longest notes first; one record."""
    train = table[(table["split"] == "train") & table["note"].notna() & table["age"].notna()]
    single = train[~train["patient_id"].duplicated(keep=False)]
    pool = single if len(single) else train.drop_duplicates("patient_id")
    order = pool["note"].str.len().sort_values(ascending=False, kind="stable").index
    return with_rare_word(table.loc[[order[number % len(order)]]], rare).reset_index(drop=True)


def unused_word(attacker: Attacker, notes: Sequence[str]) -> str:
    """A long word of the vocabulary that no note holds."""
    return max(rare_words(attacker.tokenizer, notes), key=len, default="")


def attack(
    view: View,
    kind: Kind,
    scene: Scene,
    own: pd.DataFrame,
    rare: str,
    steps: int,
    on_step: Callable[[int], None],
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Figures of all three, and the photographs in [0, 1]: the original, the attacker's mean, the best it found.

    own: records of the attacker's, that nobody trains on. steps: of the search for the photograph.
    """
    attacker, exposure = Attacker.of(view.config), expose(view, scene, kind)
    asked = attacker.dataset(scene.target, scene.images, exposure.standardisation)
    batch = asked.batch([0])
    mean = attacker.dataset(own.head(MEAN_OF), scene.images, exposure.standardisation)
    start = mean.batch(range(len(mean))).image.mean(dim=0, keepdim=True)
    limits = _range(exposure)
    found, how = None, "patches in closed form"
    if kind == "gradient":
        found = closed_form.photograph(exposure.moved, start, TRUST)
        if found is None:
            found = stem.photograph(attacker, exposure, start, limits, TRUST)
            how = "stem's map in closed form, then a search"
    if found is None and steps:
        how = "search"
        found = search.photograph(attacker, exposure, batch, start, limits, steps, on_step)
    pictures = {"original": limits.shown(batch.image), "mean": limits.shown(start)}
    figures: dict[str, Any] = {"notes": _notes(exposure, scene, own, rare, attacker, kind)}
    figures["photograph"] = {"mean": likeness(pictures["mean"], pictures["original"])}
    if found is not None:
        pictures["found"] = limits.shown(found)
        figures["photograph"] |= {"how": how, **likeness(pictures["found"], pictures["original"])}
    figures["form"] = _form(exposure, batch.structured)
    return figures, pictures


def drawn(records: int, config: Config, site: str) -> NDArray[np.int64]:
    """Places of the records that the first round of a site's `records` training records draws."""
    rows, training = np.arange(records), config.training
    if config.privacy.enabled:
        return rows  # by coins that nobody knows
    size = training.batch_size * training.accumulation
    steps = [step_rows(rows, size, step, config.seed, site) for step in range(training.local_steps)]
    return np.unique(np.concatenate(steps))


def _range(exposure: Exposure) -> Range:
    known = Standardisation.from_dict(dict(exposure.standardisation))
    mean, std = (
        torch.tensor(v, dtype=torch.float32).view(1, 3, 1, 1) for v in (known.image_mean, known.image_std)
    )
    return Range(mean, std)


def _form(exposure: Exposure, truth: Tensor) -> dict[str, float] | None:
    """Mean absolute error in standard deviations, beside that of the mean form, whose values are all 0."""
    found = closed_form.form(exposure.moved) if exposure.kind != "round" else None
    if found is None:
        return None
    error = (found - truth[0]).abs().mean()
    return {"error": float(error), "error_mean": float(truth[0].abs().mean())}


def _notes(
    exposure: Exposure, scene: Scene, own: pd.DataFrame, rare: str, attacker: Attacker, kind: Kind
) -> dict[str, dict[str, Any]]:
    """Way of reading -> figures. In a round the words asked after are those of all the notes that it drew."""
    table = scene.tables[scene.site]
    train = table[table["split"] == "train"].reset_index(drop=True)
    asked = train.loc[drawn(len(train), attacker.config, scene.site)] if kind == "round" else scene.target
    notes = list(asked["note"].dropna())
    guessed = words.frequencies(attacker.tokenizer, list(own["note"].dropna()))
    return {
        how: words.figures(scores, notes, rare, attacker.tokenizer, guessed)
        for how, scores in words.evidence(exposure).items()
    }
