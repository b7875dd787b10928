"""How inputs are scaled and gaps filled: what round 0 leaves in the model.

It is frozen there: training, validation and inference at every site use the same one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shared_model.errors import DataError
from shared_model.records import GRADES, STRUCTURED, TASKS
from shared_model.statistics.answer import CHANNELS
from shared_model.statistics.reading import count, exactly, numbers, plain


@dataclass(frozen=True)
class Standardisation:
    """How inputs are scaled and gaps filled, frozen into the model.

    mean, std, impute, available: one entry for each of STRUCTURED, before standardising; `available` is False
    for a value that no training patient has, which then always enters as 0. image_mean, image_std: (3,) in
    [0, 1]. class_counts: task -> training photographs of each grade. notes: whether any training patient has one;
    a model that never saw a note reads none. images: False for a model that is not to read photographs.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    impute: tuple[float, ...]
    available: tuple[bool, ...]
    image_mean: tuple[float, ...]
    image_std: tuple[float, ...]
    class_counts: Mapping[str, tuple[int, ...]]
    notes: bool = True
    images: bool = True

    def apply(self, table: pd.DataFrame) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Standardised values (N, 6) in the order of STRUCTURED, and whether any was recorded (N,)."""
        values = table[list(STRUCTURED)].to_numpy(dtype=np.float64, na_value=np.nan)
        values = np.where(np.array(self.available), values, np.nan)
        present = ~np.isnan(values).all(axis=1)
        filled = np.where(np.isnan(values), np.array(self.impute), values)
        return ((filled - np.array(self.mean)) / np.array(self.std)).astype(np.float32), present

    def reading(self, inputs: Collection[str]) -> Standardisation:
        """The same for a model that reads these modalities (of records.MODALITIES) and no other."""
        return replace(
            self,
            images=self.images and "image" in inputs,
            notes=self.notes and "text" in inputs,
            available=tuple(value and "structured" in inputs for value in self.available),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain and JSON-serialisable; from_dict gives the same object back, bit for bit."""
        message: dict[str, Any] = plain(asdict(self))
        return message

    @classmethod
    def from_dict(cls, message: Mapping[str, Any]) -> Standardisation:
        """The standardisation in a message or a model folder. Raises DataError for a malformed one."""
        six, three = len(STRUCTURED), CHANNELS
        try:
            return cls(
                mean=numbers(message["mean"], six),
                std=numbers(message["std"], six, positive=True),
                impute=numbers(message["impute"], six),
                available=tuple(bool(value) for value in exactly(message["available"], six)),
                image_mean=numbers(message["image_mean"], three),
                image_std=numbers(message["image_std"], three, positive=True),
                class_counts={
                    task: tuple(count(cell) for cell in exactly(message["class_counts"][task], GRADES))
                    for task in TASKS
                },
                notes=bool(message.get("notes", True)),
                images=bool(message.get("images", True)),
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise DataError(
                f"The standardisation cannot be understood ({type(error).__name__}: {error}).",
                where="standardisation",
                fix="Take it from the folder of a finished run.",
            ) from None
