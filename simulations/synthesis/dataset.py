"""Writes a synthetic BRSET folder: table, photographs, centres and, where asked, a fixed test split.

Patients are drawn side by side in worker processes, each from its own generator, and the folder appears under
its name only when it is complete.
"""

from __future__ import annotations

import csv
import errno
import multiprocessing
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shared_model.errors import ConfigError, DataError
from simulations.synthesis.labels import draw_patient
from simulations.synthesis.picture import draw_photographs
from simulations.synthesis.rates import Mix, load_rates
from simulations.synthesis.table import COLUMNS, Record, records

TABLE = "labels_brset.csv"
PHOTOGRAPHS = "fundus_photos"
CENTERS = "centers.csv"
SPLIT = "split.csv"
BATCH = 8  # patients handed to a worker at once


@dataclass(frozen=True)
class Summary:
    """What was written."""

    folder: Path
    patients: int
    test_patients: int
    rows: int
    photographs: int  # fewer than rows: some rows have none, as in BRSET
    icdr: tuple[int, ...]  # rows of each grade, 0 to 4
    centers: dict[str, int]  # patients of each centre


@dataclass(frozen=True)
class _Drawn:
    number: int
    center: str
    records: list[Record]
    photographs: list[bytes]


def synthesize(
    folder: Path,
    *,
    patients: int = 600,
    test_patients: int = 0,
    seed: int = 0,
    grades: Mix = "balanced",
    size: int = 100,
    progress: Callable[[int, int], None] | None = None,
    processes: int | None = None,
) -> Summary:
    """Draw a BRSET-shaped data set into `folder`, which must be absent or empty.

    test_patients: further patients of the same distribution, named `test` in split.csv; the first `patients`
    are the same whatever their number. grades: `published` keeps BRSET's shares, `balanced` over-samples
    retinopathy. size: of the photographs, in percent of the cameras' own. progress: called with (patients
    done, patients in all). processes: worker processes, by default one a core; they do not change the result.

    Raises DataError where the folder is taken or cannot be written, ConfigError for an impossible argument;
    either way, and on interruption, nothing is left behind.
    """
    _check(folder, patients, test_patients, seed, grades, size)
    with _staging(folder) as stage:
        (stage / PHOTOGRAPHS).mkdir()
        drawn = _draw(patients + test_patients, seed, grades, size, processes or os.cpu_count() or 1)
        return _write(stage, folder, drawn, patients, test_patients, progress)


def _check(folder: Path, patients: int, test_patients: int, seed: int, grades: str, size: int) -> None:
    def refuse(what: str, fix: str) -> None:
        raise ConfigError(what, where="synthesize", fix=fix)

    if patients < 1:
        refuse(f"{patients} patients cannot be drawn.", "Ask for at least 1 patient.")
    if test_patients < 0:
        refuse(f"{test_patients} test patients cannot be drawn.", "Ask for 0 or more.")
    if seed < 0:
        refuse(f"The seed {seed} is negative.", "Use a whole number from 0.")
    if grades not in ("balanced", "published"):
        refuse(f"There is no mix of grades called {grades!r}.", "Use balanced or published.")
    if not 50 <= size <= 400:
        refuse(f"Photographs of {size} % cannot be drawn.", "Use a size from 50 to 400.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(
            "The folder already holds something, and nothing is overwritten.",
            where=str(folder),
            fix="Name a new folder, or empty this one first.",
        )


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` that takes its name at the end, or vanishes."""
    stage: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        stage.chmod(0o755)
        yield stage
        if folder.exists():
            folder.rmdir()  # empty: checked at the start, and rmdir refuses otherwise
        stage.rename(folder)
    except OSError as problem:
        full = problem.errno in (errno.ENOSPC, errno.EDQUOT)
        raise DataError(
            "The disk is full." if full else f"The folder cannot be written ({problem.strerror}).",
            where=str(folder),
            fix="Free some space (about 60 kB a photograph) or name another folder."
            if full
            else "Name a folder that you may write to.",
        ) from problem
    finally:
        if stage is not None:
            shutil.rmtree(stage, ignore_errors=True)


def _draw_batch(numbers: range, seed: int, grades: Mix, size: int) -> list[_Drawn]:
    rates = load_rates(grades)
    found = []
    for number in numbers:
        patient = draw_patient(seed, number, rates)
        found.append(
            _Drawn(
                number, patient.center, records(patient, seed, rates), draw_photographs(patient, seed, size)
            )
        )
    return found


def _draw(count: int, seed: int, grades: Mix, size: int, processes: int) -> Iterator[_Drawn]:
    """Patients 1 to `count` in order, drawn in worker processes, never more than a few batches ahead."""
    batches = [range(at, min(at + BATCH, count + 1)) for at in range(1, count + 1, BATCH)]
    processes = min(processes, len(batches))
    if processes == 1:
        for batch in batches:
            yield from _draw_batch(batch, seed, grades, size)
        return
    pool = ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"))
    waiting: list[Future[list[_Drawn]]] = []
    try:
        for batch in batches:
            waiting.append(pool.submit(_draw_batch, batch, seed, grades, size))
            if len(waiting) > 2 * processes:
                yield from waiting.pop(0).result()
        while waiting:
            yield from waiting.pop(0).result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _write(
    stage: Path,
    folder: Path,
    drawn: Iterable[_Drawn],
    patients: int,
    test_patients: int,
    progress: Callable[[int, int], None] | None,
) -> Summary:
    rows: list[dict[str, str]] = []
    centers: list[tuple[str, str]] = []
    photographs = 0
    for patient in drawn:
        centers.append((str(patient.number), patient.center))
        for record, picture in zip(patient.records, patient.photographs, strict=True):
            rows.append({"image_id": f"img{len(rows) + 1:05d}", **record.row})
            if not record.absent:
                (stage / PHOTOGRAPHS / f"{rows[-1]['image_id']}.jpg").write_bytes(picture)
                photographs += 1
        if progress is not None:
            progress(patient.number, patients + test_patients)
    _write_csv(stage / TABLE, COLUMNS, ([row[name] for name in COLUMNS] for row in rows))
    _write_csv(stage / CENTERS, ("patient_id", "center"), centers)
    if test_patients:
        extra = range(patients + 1, patients + test_patients + 1)
        _write_csv(stage / SPLIT, ("patient_id", "split"), ((str(number), "test") for number in extra))
    grades = Counter(row["DR_ICDR"] for row in rows)
    return Summary(
        folder=folder,
        patients=patients,
        test_patients=test_patients,
        rows=len(rows),
        photographs=photographs,
        icdr=tuple(grades[str(grade)] for grade in range(5)),
        centers=dict(sorted(Counter(center for _, center in centers).items())),
    )


def _write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
