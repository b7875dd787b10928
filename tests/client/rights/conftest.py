"""A site that has been at work: photographs, measurements, quarantine, answers and a run, under pseudonyms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from client.adapters import load
from client.check import measure, measurement
from client.check.measurement import Measurement
from client.data.images import build_image_store
from client.rights.participation import record_participation
from client.site.contents import IMAGES, MEASUREMENTS, PARTICIPATION, QUARANTINE
from client.site.state import SiteState

PATIENTS = ("RGHT-0401", "RGHT-0402", "RGHT-0403")


@dataclass(frozen=True)
class Site:
    """state: what the site keeps; table: its records under the hospital's own ids; key: its key file."""

    state: SiteState
    table: pd.DataFrame
    key: Path

    @property
    def folder(self) -> Path:
        return self.state.folder

    def records(self, patient: str) -> list[str]:
        return [str(name) for name in self.table.loc[self.table["patient_id"] == patient, "record_id"]]

    def decrypted(self) -> Iterator[tuple[str, bytes]]:
        """Every file of the state folder by its name, opened."""
        vault = self.state.vault
        for path in sorted(self.folder.rglob("*")):
            name = str(path.relative_to(self.folder))
            if name in (MEASUREMENTS, PARTICIPATION):
                yield name, b"\n".join(self.state.journal(name).records())
            elif name == f"{IMAGES}.json" and vault is not None:
                yield name, vault.open(path.read_bytes(), "photographs/index")
            elif path.is_file() and name not in (IMAGES, "lock", "site.key"):
                label = f"worker/run-1/{path.name}" if "worker" in name else name
                yield name, path.read_bytes() if vault is None else vault.open(path.read_bytes(), label)


def build(site: Site) -> None:
    """What check and prepare do."""
    state, table = site.state, site.table
    named = table.assign(
        patient_id=[state.patient(name) for name in table["patient_id"]],
        record_id=[state.record(name) for name in table["record_id"]],
    )
    build_image_store(named, state.folder / IMAGES, 16, vault=state.vault)
    state.remove(MEASUREMENTS)
    with state.journal(MEASUREMENTS) as journal:
        journal.append(b"".join(measured(path) for path in table["image_path"]))
    rows = table[["record_id", "patient_id"]].set_axis(["record", "patient"], axis=1)
    rows = rows.assign(row=range(2, len(rows) + 2), column="icdr", reason="not a grade")
    state.write(QUARANTINE, rows.to_csv(index=False).encode())


def measured(path: str) -> bytes:
    """An entry of the journal of measurements, as client.check.measure writes it."""
    content = measurement.encode(Measurement(sha256="ab" * 32))
    return measure._ENTRY.pack(measure._digest(path), bytes(16), len(content)) + content


@pytest.fixture(params=[True, False], ids=["sealed", "plain"])
def site(request: pytest.FixtureRequest, write_folder: Callable[..., Path], tmp_path: Path) -> Site:
    folder = write_folder([{"patient_id": PATIENTS[number // 2]} for number in range(6)])
    key = tmp_path / "keys" / "site.key"
    state = SiteState.open(tmp_path / "state", key, encrypt=request.param)
    made = Site(state, load(folder).table, key)
    build(made)
    state.write("answers/statistics.json", b'{"answers": []}')
    state.write("worker/run-1/local.safetensors", b"tensors")
    state.write("ledger", b"charges")
    record_participation(state, "run-1", "federation-a", [state.patient(name) for name in PATIENTS[:2]])
    return made
