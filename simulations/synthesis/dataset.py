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
import signal
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

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
class _Plan:
    patients: int
    test_patients: int
    seed: int
    grades: Mix
    size: int

    @property
    def total(self) -> int:
        return self.patients + self.test_patients


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
    either way, and on Ctrl-C, nothing is left behind.
    """
    plan = _Plan(patients, test_patients, seed, grades, size)
    _check(plan)
    with _staging(folder) as stage:
        (stage / PHOTOGRAPHS).mkdir()
        with closing(_draw(plan, processes or os.cpu_count() or 1)) as drawn:
            return _write(stage, folder, drawn, plan, progress)


def _check(plan: _Plan) -> None:
    problems = (
        (plan.patients < 1, "patients", plan.patients, "Ask for at least 1 patient."),
        (plan.test_patients < 0, "test_patients", plan.test_patients, "Ask for 0 or more."),
        (plan.seed < 0, "seed", plan.seed, "Use a whole number from 0."),
        (plan.grades not in get_args(Mix), "grades", plan.grades, "Use balanced or published."),
        (not 50 <= plan.size <= 400, "size", plan.size, "Use a percentage from 50 to 400."),
    )
    for wrong, name, value, fix in problems:
        if wrong:
            raise ConfigError(f"A data set cannot be drawn with {name} = {value}.", where=name, fix=fix)


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` that takes its name at the end, or vanishes."""
    stage: Path | None = None
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise DataError(
                "The folder already holds something, and nothing is overwritten.",
                where=str(folder),
                fix="Name a new folder, or empty this one first.",
            )
        folder.parent.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        stage.chmod(0o755)
        yield stage
        if folder.exists():
            folder.rmdir()  # empty: checked at the start, and rmdir refuses otherwise
        stage.rename(folder)
    except OSError as problem:
        raise _unwritable(folder, problem) from problem
    except BrokenProcessPool as problem:
        raise DataError(
            "A process that draws photographs was killed, probably for want of memory.",
            where=str(folder),
            fix="Free some memory, or draw with fewer processes.",
        ) from problem
    finally:
        if stage is not None:
            shutil.rmtree(stage, ignore_errors=True)


def _unwritable(folder: Path, problem: OSError) -> DataError:
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        fix = "Free some space (about 60 kB a photograph) or name a folder on another disk."
        return DataError("The disk is full.", where=str(folder), fix=fix)
    return DataError(
        f"The folder cannot be written ({problem.strerror}).",
        where=str(folder),
        fix="Name a folder that you may write to.",
    )


def _draw_batch(numbers: range, plan: _Plan) -> list[_Drawn]:
    rates = load_rates(plan.grades)
    found = []
    for number in numbers:
        patient = draw_patient(plan.seed, number, rates)
        rows = records(patient, plan.seed, rates)
        found.append(_Drawn(number, patient.center, rows, draw_photographs(patient, plan.seed, plan.size)))
    return found


def _ignore_interrupt() -> None:
    """Ctrl-C reaches every process of the terminal; only the first one answers it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _draw(plan: _Plan, processes: int) -> Generator[_Drawn, None, None]:
    """All patients in order, drawn in worker processes, never more than a few batches ahead."""
    batches = [range(at, min(at + BATCH, plan.total + 1)) for at in range(1, plan.total + 1, BATCH)]
    processes = min(processes, len(batches))
    if processes == 1:
        for batch in batches:
            yield from _draw_batch(batch, plan)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_ignore_interrupt)
    waiting: deque[Future[list[_Drawn]]] = deque()
    try:
        for batch in batches:
            waiting.append(pool.submit(_draw_batch, batch, plan))
            if len(waiting) > 2 * processes:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _write(
    stage: Path,
    folder: Path,
    drawn: Iterable[_Drawn],
    plan: _Plan,
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
            progress(patient.number, plan.total)
    _write_csv(stage / TABLE, COLUMNS, ([row[name] for name in COLUMNS] for row in rows))
    _write_csv(stage / CENTERS, ("patient_id", "center"), centers)
    if plan.test_patients:
        extra = range(plan.patients + 1, plan.total + 1)
        _write_csv(stage / SPLIT, ("patient_id", "split"), ((str(number), "test") for number in extra))
    grades = Counter(row["DR_ICDR"] for row in rows)
    return Summary(
        folder=folder,
        patients=plan.patients,
        test_patients=plan.test_patients,
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
