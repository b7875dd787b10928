"""What people write by hand before a federation begins: who takes part, each hospital's site.toml, the run."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import tomli_w
import yaml

from deploy.rehearsal.networks import COORDINATOR, Network

TABLE, PHOTOGRAPHS, CENTERS, SPLIT = "labels_brset.csv", "fundus_photos", "centers.csv", "split.csv"
_SIDES = ("train",) * 7 + ("validation",) * 2 + ("test",)  # of every ten patients


@dataclass(frozen=True)
class Plan:
    """What is rehearsed. overrides: of the run's configuration, "section.key=value" """

    sites: tuple[str, ...] = ("moema", "santos", "paulista")
    patients: int = 60
    rounds: int = 5
    preset: str = "tiny"
    seed: int = 0
    overrides: tuple[str, ...] = field(default_factory=tuple)


def federation_yaml(plan: Plan, network: Network) -> str:
    """Who takes part, and where."""
    places = network.places
    coordinator = {
        "hosts": [places[COORDINATOR].address],
        "port": network.port,
        "superlink_port": network.superlink_port,
    }
    sites = [{"name": name, "proxy_port": places[name].proxy_port} for name in plan.sites]
    return yaml.safe_dump({"name": "rehearsal", "coordinator": coordinator, "sites": sites}, sort_keys=False)


def site_toml(name: str) -> str:
    """A site over drawn patients: nothing needs to be held back, and its answers are those of a simulated site, which
    computes as preset `tiny` has it, since a sum over more threads may be another in its last bit.
    """
    return tomli_w.dumps(
        {
            "site": {"name": name},
            "data": {"folder": "data", "adapter": "brset"},
            "policy": {"minimum_cell": 0},
            "resources": {
                "processes": 1,
                "preset": "tiny",
                "device": "cpu",
                "threads": 1,
                "precision": "fp32",
            },
        }
    )


def run_toml(plan: Plan) -> str:
    """The run: every site in every round, and an end where nobody answers any more."""
    federation = {"rounds": plan.rounds, "quorum": len(plan.sites), "grace": 60.0, "silence": 300.0}
    return tomli_w.dumps({"seed": plan.seed, "federation": federation})


def write_split(data: Path) -> None:
    """Which patients train, validate and test, so that a simulation can deal them alike."""
    patients = dict.fromkeys(row["patient_id"] for row in _rows(data / TABLE))
    sides = [(patient, _SIDES[index % len(_SIDES)]) for index, patient in enumerate(patients)]
    _write(data / SPLIT, ("patient_id", "split"), sides)


def pool(folders: dict[str, Path], out: Path) -> None:
    """All sites' data as one folder: what a simulation of the same federation reads. Sites are its centres."""
    (out / PHOTOGRAPHS).mkdir(parents=True)
    rows: list[list[str]] = []
    centers: list[tuple[str, str]] = []
    splits: list[tuple[str, str]] = []
    header: list[str] = []
    for site, data in folders.items():
        for row in _rows(data / TABLE):
            image, patient = row["image_id"], row["patient_id"]
            row |= {"image_id": f"{site}-{image}", "patient_id": f"{site}-{patient}"}
            header = list(row)
            rows.append(list(row.values()))
            centers.append((row["patient_id"], site))
            if (photograph := data / PHOTOGRAPHS / f"{image}.jpg").exists():
                os.link(photograph, out / PHOTOGRAPHS / f"{site}-{image}.jpg")
        splits += [(f"{site}-{row['patient_id']}", row["split"]) for row in _rows(data / SPLIT)]
    _write(out / TABLE, header, rows)
    _write(out / CENTERS, ("patient_id", "center"), list(dict.fromkeys(centers)))
    _write(out / SPLIT, ("patient_id", "split"), splits)


def _rows(file: Path) -> Iterator[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream)


def _write(file: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([header, *rows])
