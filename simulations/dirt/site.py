"""A folder in BRSET's layout while dirt is planted in it: its rows as cells, its photographs as files.

Every planter draws the rows it spoils from patients that nothing has been done to yet, so that each planted thing
stands alone and what is left untouched is known to be clean.
"""

from __future__ import annotations

import csv
import io
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np

from shared_model.errors import ConfigError, DataError
from shared_model.files import write_text
from simulations.dirt.truth import Truth
from simulations.synthesis.dataset import PHOTOGRAPHS, TABLE

Generator = np.random.Generator
Row = dict[str, str]
RAW = "\0raw"  # a row's own text, written in place of its cells


class Site:
    """The rows and photographs of a copy of `base` in `folder`, and the truth about them so far."""

    def __init__(self, base: Path, folder: Path, seed: int) -> None:
        if folder != base:
            if folder.exists():
                raise DataError("The folder exists already.", where=str(folder), fix="Name a new folder.")
            shutil.copytree(base, folder)
        self.folder = folder
        self.photographs = folder / PHOTOGRAPHS
        self.random = np.random.default_rng(np.random.SeedSequence((seed, 0xD1)))
        self.truth = Truth(seed)
        with (folder / TABLE).open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            self.rows: list[Row] = list(reader)
            self.header = list(reader.fieldnames or ())
        self._taken: set[str] = set()
        numbers = [int(row["image_id"][3:]) for row in self.rows if row["image_id"][3:].isdigit()]
        self._next = 1 + max(numbers, default=0)

    @classmethod
    def looking_at(cls, folder: Path, seed: int) -> Site:
        """A folder as it stands, to see what is wrong with it already; nothing may be planted in it."""
        return cls(folder, folder, seed)

    def path(self, row: Row) -> Path:
        """Where the photograph of a row lies."""
        return self.photographs / f"{row['image_id']}.jpg"

    def patients(self) -> dict[str, list[Row]]:
        """The rows of every patient."""
        found: dict[str, list[Row]] = defaultdict(list)
        for row in self.rows:
            found[row["patient_id"]].append(row)
        return found

    def keep_out(self, patients: Iterable[str]) -> None:
        """Plant nothing with these patients."""
        self._taken.update(patients)

    def take(self, count: int, fits: Callable[[list[Row]], bool] = lambda rows: True) -> list[list[Row]]:
        """The rows of `count` patients nothing was done to, of those that fit; they are used up by this.

        Raises ConfigError where there are not so many.
        """
        free = [p for p, rows in self.patients().items() if p not in self._taken and fits(rows)]
        if len(free) < count:
            raise ConfigError(
                f"The data set is too small to plant everything in: {count} patients of a sort are wanted, "
                f"{len(free)} are left.",
                where="photographs",
                fix="Ask for more photographs.",
            )
        chosen = [free[at] for at in sorted(self.random.permutation(len(free))[:count].tolist())]
        self._taken.update(chosen)
        by_patient = self.patients()
        return [by_patient[patient] for patient in self.shuffled(chosen)]

    def take_rows(self, count: int, fits: Callable[[Row], bool] = lambda row: True) -> list[Row]:
        """One row each of `count` patients nothing was done to."""
        return [
            next(row for row in rows if fits(row)) for rows in self.take(count, lambda r: any(map(fits, r)))
        ]

    def take_pairs(
        self,
        count: int,
        fits: Callable[[Row, Row], bool],
        first_fits: Callable[[Row], bool] = lambda row: True,
    ) -> list[tuple[Row, Row]]:
        """Rows of two different patients each, of which the second fits the first."""
        pairs = []
        for first in self.take_rows(count, first_fits):
            matches = partial(fits, first)
            pairs.append((first, self.take_rows(1, matches)[0]))
        return pairs

    def shuffled(self, values: list[str]) -> list[str]:
        """The values in a drawn order."""
        return [values[at] for at in self.random.permutation(len(values)).tolist()]

    def another_photograph(self, row: Row) -> Row:
        """A new row at the end of the table that says what `row` says, for a photograph yet to be written."""
        copy = row | {"image_id": f"img{self._next:05d}"}
        self._next += 1
        self.rows.append(copy)
        return copy

    def write(self) -> None:
        """Write the table and the truth, with the lines of every record."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.header)
        for line, row in enumerate(self.rows, start=2):
            self.truth.lines.setdefault(row["image_id"], []).append(line)
            if RAW in row:
                text.write(row[RAW] + "\n")
            else:
                writer.writerow([row[name] for name in self.header])
        write_text(self.folder / TABLE, text.getvalue())
        self.truth.save(self.folder)


def eyes_of(rows: list[Row]) -> Counter[str]:
    """How many photographs a patient has of each eye, by its code."""
    return Counter(row["exam_eye"] for row in rows if row["exam_eye"])
