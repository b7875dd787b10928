"""Shares the patients of one table out over sites; each kind of partition is one module of this package."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pandas as pd

from shared_model.errors import ConfigError, DataError
from simulations.partitions import camera, center, dirichlet, iid
from simulations.partitions.dealt import Dealt
from simulations.partitions.units import Unit, units

KINDS: Mapping[str, Callable[[list[Unit], int | None, int, float], Dealt]] = {
    "center": center.deal,
    "camera": camera.deal,
    "dirichlet": dirichlet.deal,
    "iid": iid.deal,
}


@dataclass(frozen=True)
class Partition:
    """Which patients are at which site.

    sites: name -> its patients, in order; no patient at two. proxy: whether sites only stand in for real
    centres. notices: sentences for the person.
    """

    sites: dict[str, list[str]]
    proxy: bool
    notices: list[str]
    kind: str = field(default="")

    def tables(self, table: pd.DataFrame) -> dict[str, pd.DataFrame]:
        """Each site's rows of the table, in its order, numbered anew."""
        return {
            name: table[table["patient_id"].isin(patients)].reset_index(drop=True)
            for name, patients in self.sites.items()
        }


def partition(
    table: pd.DataFrame,
    kind: str,
    *,
    sites: int | None = None,
    seed: int = 0,
    alpha: float = 0.5,
    digests: Mapping[str, str] | None = None,
) -> Partition:
    """The table's patients shared out over sites.

    kind: one of KINDS. sites: how many; None for what the data has (center, camera) or three. seed, alpha:
    of the random kinds. digests: record -> SHA-256 of its photograph (ImageStore.digests), without which the
    files are read, so that patients who share a photograph stay together. Where the table has its `split`,
    every site gets a training patient. Raises ConfigError and DataError.
    """
    _check(kind, sites, alpha)
    dealable = units(table, digests)
    patients = sum(len(unit.patients) for unit in dealable)
    if sites is not None and sites > len(dealable):
        raise DataError(
            f"{sites} sites cannot share {patients} patients.",
            where=f"--sites {sites}",
            fix=f"Use at most {len(dealable)} sites (patients who share a photograph count as one).",
        )
    dealt = KINDS[kind](dealable, sites, seed, alpha)
    for name, members in dealt.sites.items():
        _require_patients(name, members)
    return Partition(
        sites={
            name: sorted(p for unit in members for p in unit.patients)
            for name, members in dealt.sites.items()
        },
        proxy=dealt.proxy,
        notices=dealt.notices,
        kind=kind,
    )


def _check(kind: str, sites: int | None, alpha: float) -> None:
    if kind not in KINDS:
        raise ConfigError(
            f"There is no partition called {kind!r}.", where="--partition", fix=f"Use {', '.join(KINDS)}."
        )
    if sites is not None and sites < 1:
        raise ConfigError(f"{sites} is no number of sites.", where="--sites", fix="Use 1 or more.")
    if not 0 < alpha < float("inf"):
        raise ConfigError(f"alpha is {alpha:g}.", where="alpha", fix="Use a number above 0, such as 0.5.")


def _require_patients(name: str, members: list[Unit]) -> None:
    if any(unit.trains for unit in members):
        return
    lacks = "no patient to train on" if members else "no patient"
    raise DataError(
        f"Site {name} got {lacks}.",
        where="the partition",
        fix="Use fewer sites, another seed or another kind of partition.",
    )
