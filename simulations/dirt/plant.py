"""Plants everything: a folder in BRSET's layout with dirt in its table, its files and its pictures; and notes.

How much of each kind is fixed by the number of photographs alone, and every draw by the seed, so that a figure can be
made again. Seed 20261 is for whoever writes `check`; 20262 is held out, and figures are reported with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from simulations.dirt.copies import plant_near_duplicates
from simulations.dirt.exposure import plant_exposure_dirt
from simulations.dirt.files import plant_file_dirt
from simulations.dirt.headers import plant_headers
from simulations.dirt.native import note_native_dirt
from simulations.dirt.pictures import plant_other_pictures
from simulations.dirt.pictures_unseen import plant_unseen_pictures
from simulations.dirt.site import Site
from simulations.dirt.table import plant_table_dirt
from simulations.dirt.truth import Truth
from simulations.synthesis.dataset import synthesize

DEVELOPMENT_SEED, REPORTED_SEED = 20261, 20262
PHOTOGRAPHS_A_PATIENT = 1.91  # BRSET's mean, which the drawn one keeps


@dataclass(frozen=True)
class Amounts:
    """How many items of each kind go into a site of some size."""

    certain: int  # of each certain kind
    near_duplicates: int
    blank: int
    dark: int
    dim: int
    other_pictures: int
    named_headers: int
    harmless_headers: int
    unseen: int
    unusual: int


def amounts(photographs: int) -> Amounts:
    """About a quarter of the photographs are spoilt, a judgement of pictures being tried some 60 times in 2,000."""
    share = photographs / 2000
    return Amounts(
        certain=max(2, round(10 * share)),
        near_duplicates=max(16, round(96 * share)),
        blank=max(8, round(64 * share)),
        dark=max(8, round(64 * share)),
        dim=max(4, round(32 * share)),
        other_pictures=max(12, round(96 * share)),
        named_headers=max(6, round(60 * share)),
        harmless_headers=max(4, round(40 * share)),
        unusual=max(4, round(32 * share)),
        unseen=max(4, round(40 * share)),
    )


def clean_site(
    folder: Path,
    photographs: int,
    seed: int,
    *,
    size: int = 100,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Draw the data set that dirt is planted in: about so many photographs, grades as published."""
    patients = max(1, round(photographs / PHOTOGRAPHS_A_PATIENT))
    synthesize(folder, patients=patients, seed=seed, grades="published", size=size, progress=progress)


def plant(base: Path, folder: Path, seed: int, *, photographs: int) -> Truth:
    """Copy `base` (BRSET's layout) to `folder` and plant every kind of dirt in the copy; what was planted where.

    photographs: how large the site is meant to be, which fixes the amounts. Raises ConfigError where `base` is too
    small for them and DataError where `folder` exists.
    """
    site = Site(base, folder, seed)
    note_native_dirt(site)
    much = amounts(photographs)
    # The kinds that need patients of a special sort choose first.
    plant_file_dirt(site, much.certain)
    plant_table_dirt(site, much.certain)
    plant_pictures(site, much)
    site.write()
    return site.truth


def plant_judgements(base: Path, folder: Path, seed: int, *, photographs: int) -> Truth:
    """As `plant`, with the judgements of pictures alone: for real photographs, whose tables hold little."""
    site = Site(base, folder, seed)
    note_native_dirt(site)
    plant_pictures(site, amounts(photographs))
    site.write()
    return site.truth


def plant_pictures(site: Site, much: Amounts) -> None:
    """Plant the kinds that somebody has to look at, and their harmless neighbours."""
    plant_near_duplicates(site, much.near_duplicates)
    plant_exposure_dirt(site, much.blank, much.dark, much.dim)
    plant_other_pictures(site, much.other_pictures)
    plant_headers(site, much.named_headers, much.harmless_headers, much.unusual)
    plant_unseen_pictures(site, much.unseen)
