"""Records of many patients laid out for one pass: slots of a constant number of records, a patient's own side by side.

The shape of a pass is made of constants, whoever is in it. A place without a record holds zeros and weighs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

from torch import Tensor
from torch.nn import functional as F

from client.privacy.dp.sampling import Unit
from shared_model.losses import Batch

RECORDS = 2  # of one patient in a slot: most have two eyes, and every slot costs a gradient


@dataclass(frozen=True)
class Records:
    """The records of some patients, N in all, a patient's own side by side. keep: which modalities grading may read,
    (N,) each. counts: records of each patient.
    """

    batch: Batch
    keep: Mapping[str, Tensor]
    counts: Sequence[int]


@dataclass(frozen=True)
class Slots:
    """S slots of R = RECORDS records each. weight: of a record's loss of each task in the loss of its patient; 0 where
    there is no label, or no record.
    """

    image: Tensor  # (S, R, 3, H, W), or (S, R, T, encoder width) what RecordLoss takes of it
    text: Tensor  # (S, R, L, encoder width)
    text_mask: Tensor  # (S, R, L) bool, True for a token
    structured: Tensor  # (S, R, 6)
    here: Tensor  # (S, R, 3) bool, in the order of MODALITIES; of no record all, lest it read nothing
    label: Tensor  # (S, R, 2) int64, 0 where missing
    weight: Tensor  # (S, R, 2)

    def tensors(self) -> tuple[Tensor, ...]:
        """In the order of the fields."""
        return tuple(getattr(self, field.name) for field in fields(self))

    @classmethod
    def vacant(cls, slots: int, like: Slots, tokens: int) -> Slots:
        """Memory for so many slots of records like these, which are (N, ...) each; tokens: room for a note's."""
        shapes = [list(own.shape[1:]) for own in like.tensors()]
        shapes[1][0] = shapes[2][0] = tokens
        return cls(
            *(
                own.new_empty(slots, RECORDS, *shape)
                for own, shape in zip(like.tensors(), shapes, strict=True)
            )
        )

    def put(self, own: Slots, place: Sequence[int], normed: Callable[[Tensor], Tensor]) -> None:
        """Records (N, ...) at these places; notes are filled up with zeros. normed: of an image, what is to be kept."""
        length, room = own.text.shape[1], self.text.shape[2]
        small = [F.pad(own.text_mask, (0, room - length)), *own.tensors()[3:]]
        for whole, some in zip(self.tensors()[2:], small, strict=True):
            whole.flatten(0, 1)[list(place)] = some
        images, texts = self.image.flatten(0, 1), self.text.flatten(0, 1)
        # What is large one by one, while it is in the processor's cache.
        for at, image, text in zip(place, own.image, own.text, strict=True):
            images[at] = normed(image)
            texts[at, :length] = text
            texts[at, length:] = 0

    def clear(self, place: Sequence[int]) -> None:
        """No record at these places."""
        for whole in self.tensors():
            rows = whole.flatten(0, 1)
            for at in place:
                rows[at] = 1 if whole is self.here else 0


def slots_taken(records: int) -> int:
    """By a patient of so many records."""
    return -(-records // RECORDS)


def places(counts: Sequence[int]) -> list[int]:
    """Where among the records of a pass each patient's stand, (N,): every patient begins a slot."""
    found: list[int] = []
    first = 0
    for count in counts:
        found += range(first, first + count)
        first += slots_taken(count) * RECORDS
    return found


def passes(units: Sequence[Unit], slots: int) -> Iterator[Sequence[Unit]]:
    """Patients in their order, as many at a time as fit."""
    some: list[Unit] = []
    room = slots
    for unit in units:
        taken = slots_taken(len(unit.rows))
        if taken > room:
            yield some
            some, room = [], slots
        some.append(unit)
        room -= taken
    if some:
        yield some
