"""The gradients of many patients in one pass, each as it would be alone.

One backward pass a patient costs several times a plain step. Here records go through the trained part in slots of a
batch whose shape is a constant, and `taps` gives one gradient a slot; what the frozen encoders give of them is read
from the trunk cache or computed without gradient. Nothing in a slot reads another slot, and `alone` looks whether this
machine's arithmetic keeps to that to the last bit: a matrix product may round one row by another's place.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn

from client.privacy.dp.plan import Plan
from client.privacy.dp.record_loss import RecordLoss
from client.privacy.dp.slots import RECORDS, Records, Slots, places, slots_taken
from client.privacy.dp.taps import Taps
from shared_model.losses import Batch, Objective
from shared_model.losses.grading import MISSING
from shared_model.model import TextBatch
from shared_model.model.fusion_model import FusionModel
from shared_model.records import GRADES, MODALITIES, TASKS

PASS = 32  # slots of a pass, about: enough for full speed, and 32 gradients of 1e5 numbers are 13 MB
ROUNDING = 1e-3  # of a gradient, between two ways of adding up
ROOM = 1.05  # slots over patients expected, for those who take two: half a pass more would cost what a pass costs


class Together:
    """Gradients of an objective's grading loss, one a patient. parameters: what is trained, in the order wanted.

    slots: of a pass, a constant, so that the shape of no product depends on who was drawn. What is large is kept from
    pass to pass: to ask for fresh memory each time costs as much as to fill it.
    """

    def __init__(self, objective: Objective, parameters: Sequence[nn.Parameter], slots: int) -> None:
        self.slots = slots
        self._objective = objective
        self._loss = RecordLoss(objective)
        self._parameters = list(parameters)
        # Zeros, and so they stay for a parameter that nothing reads.
        self._each = torch.zeros(slots, sum(parameter.numel() for parameter in parameters))
        self._slots: Slots | None = None

    def gradients(self, slots: Slots, counts: Sequence[int]) -> Iterator[Tensor]:
        """One gradient (P,) for each patient of a pass, good until the next pass. counts: records of each."""
        each = self.of_slots(slots)
        first = 0
        for count in counts:
            last = first + slots_taken(count)
            yield each[first] if last == first + 1 else each[first:last].sum(dim=0)
            first = last

    @torch.no_grad()
    def prepared(self, parts: Iterable[Records]) -> Slots:
        """The records of a pass as slots, good until the next pass: what the frozen encoders give of each is computed
        from it alone.

        parts: some patients at a time, few enough for the processor's cache.
        """
        first, taken = 0, []
        for records in parts:
            place = [first + own for own in places(records.counts)]
            first += RECORDS * sum(map(slots_taken, records.counts))
            self._put(records, place)
            taken += place
        assert self._slots is not None
        self._slots.clear(sorted(set(range(RECORDS * self.slots)) - set(taken)))
        return self._slots

    def of_slots(self, slots: Slots) -> Tensor:
        """One gradient a slot, (S, P); the same memory every time."""
        taps = Taps(self._parameters, self._each)
        taps.gradients(self._sum_of(taps, slots))
        return self._each

    def alone(self, like: Slots) -> bool:
        """Whether a slot's gradient is the same, bit for bit, in every place and whatever stands in the others; and
        whether it is the gradient, but for rounding.

        Tried on made-up records of the shape of `like`, no patient's. The kernels that multiply choose their way by
        shapes and places and not by numbers, so that two passes tell for all.
        """
        generator = torch.Generator().manual_seed(0)
        shape = [part.shape[1:] for part in like.tensors()]

        def made_up(count: int, size: float) -> Slots:
            image, text, mask, structured, here, label, weight = (
                torch.rand(count, *own, generator=generator) for own in shape
            )
            gaussian = [torch.logit(part, eps=1e-6) * size for part in (image, text, structured)]
            classes = (label * GRADES).long()
            return Slots(gaussian[0], gaussian[1], mask < 0.7, gaussian[2], here < 0.7, classes, weight)

        one, others = made_up(1, 1.0), made_up(self.slots, 1e3)
        one.here.fill_(1)
        others.structured[::3] = torch.nan
        same = Slots(*(part.repeat(self.slots, *[1] * (part.dim() - 1)) for part in one.tensors()))
        for own, other in zip(same.tensors(), others.tensors(), strict=True):
            other[::2] = own[::2]
        if not self._whole(same):
            return False
        first, second = self.of_slots(same).clone(), self.of_slots(others)
        return bool((first == first[0]).all() and (second[::2] == first[0]).all())

    def _sum_of(self, taps: Taps, slots: Slots) -> Tensor:
        """The loss of all slots."""
        image, *others = (part.flatten(0, 1) for part in slots.tensors())
        features = image if image.dim() != 4 else self._loss.trunk(image)
        with torch.enable_grad(), taps:
            return self._loss(taps, features, *others)

    def _whole(self, slots: Slots) -> bool:
        """Whether the gradients of slots add up to PyTorch's own: every use of a parameter was seen."""
        loss = self._sum_of(Taps(self._parameters, self._each), slots)
        wanted = torch.autograd.grad(loss, self._parameters, allow_unused=True, materialize_grads=True)
        found = self.of_slots(slots).sum(dim=0)
        parts = torch.split(found, [own.numel() for own in self._parameters])
        return all(
            float((part - own.flatten()).norm()) <= ROUNDING * float(own.norm()) + 1e-6 * float(found.norm())
            for part, own in zip(parts, wanted, strict=True)
        )

    def _put(self, records: Records, place: Sequence[int]) -> None:
        """Records at these places of the pass."""
        batch = records.batch
        image, (text, mask) = self._image(batch), self._text(records)
        labels = torch.stack([batch.labels[task] for task in TASKS], dim=1)
        own = Slots(
            image,
            text,
            mask,
            batch.structured,
            torch.stack([batch.present[name] & records.keep[name] for name in MODALITIES], dim=1),
            labels.clamp(min=0),
            self._weights(labels, records.counts),
        )
        if self._slots is None:
            encoder = self._objective.model.text_encoder
            self._slots = Slots.vacant(self.slots, own, 1 if encoder is None else encoder.kept)
        known = batch.image_trunk is not None and self._objective.model.image_encoder is not None
        self._slots.put(own, place, self._loss.normed if known else lambda image: image)

    def _image(self, batch: Batch) -> Tensor:
        """Photographs, or what the frozen part gives of them where it is known (N, ...)."""
        if self._objective.model.image_encoder is None:
            return batch.structured.new_zeros(len(batch.structured), 1)
        return batch.image if batch.image_trunk is None else batch.image_trunk

    def _text(self, records: Records) -> tuple[Tensor, Tensor]:
        """Features of the notes that grading reads (N, L, width) and their mask."""
        encoder, batch = self._objective.model.text_encoder, records.batch
        if encoder is None:
            count = len(batch.structured)
            return torch.zeros(count, 1, 1), torch.ones(count, 1, dtype=torch.bool)
        note = batch.masked_note if self._objective.config.mask_notes else batch.note
        # What is kept is all of it, as none of the encoder's layers is trained.
        hidden = self._encoded(note, records.counts) if note.trunk is None else note.trunk[:, : encoder.kept]
        return hidden, note.mask[:, : encoder.kept] == 1

    def _encoded(self, note: TextBatch, counts: Sequence[int]) -> Tensor:
        """Each patient's notes apart, at the length of their own: another's would change the shape of products."""
        encoder = self._objective.model.text_encoder
        assert encoder is not None
        found = torch.zeros(len(note.ids), min(note.ids.shape[1], encoder.kept), encoder.width)
        first = 0
        for count in counts:
            ids, mask = note.ids[first : first + count], note.mask[first : first + count]
            longest = int(mask.sum(dim=1).max())
            hidden = encoder(ids[:, :longest], mask[:, :longest])
            found[first : first + count, : hidden.shape[1]] = hidden
            first += count
        return found

    def _weights(self, labels: Tensor, counts: Sequence[int]) -> Tensor:
        """As PatientObjective's grading loss: the mean over tasks of the mean over the patient's labelled records."""
        known = (labels != MISSING).float()
        owner = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
        found = torch.zeros(len(counts), len(TASKS)).index_add_(0, owner, known)
        tasks = (found > 0).sum(dim=1, keepdim=True).clamp(min=1)
        weights = known / found.clamp(min=1)[owner] / tasks[owner]
        balance = self._objective.class_weights
        if balance is not None:
            own = torch.stack(
                [balance[task][labels[:, i].clamp(min=0)] for i, task in enumerate(TASKS)], dim=1
            )
            weights = weights * own
        return weights * self._objective.weighting.fixed["grading"]


def slots_of(plan: Plan) -> int:
    """Of a pass at this site: from constants alone, and room for every patient."""
    expected = plan.rate * plan.patients
    passes = max(1, round(expected / PASS))
    return max(slots_taken(plan.records), math.ceil(ROOM * expected / passes))


def why_not(objective: Objective, plan: Plan) -> str:
    """What keeps these patients from being taken together; "" where nothing does."""
    model = objective.model
    if plan.mode != "prototypes":
        return "groups are batches already"
    if (
        type(model) is not FusionModel
        or objective.wanted != {"grading"}
        or objective.weighting.kind != "fixed"
    ):
        return "only the grading loss of the fusion model is understood"
    if model.image_encoder is not None and not model.image_encoder.has_trunk:
        return "the image encoder has no frozen part"
    if model.text_encoder is not None and any(p.requires_grad for p in model.text_encoder.parameters()):
        return "the text encoder is trained"
    if any(_drops(module) for module in objective.modules()):
        return "dropout draws for each patient apart"
    return ""


def _drops(module: nn.Module) -> bool:
    """Whether a module draws at random while it trains; a frozen part is never in training."""
    if not module.training:
        return False
    if isinstance(module, nn.modules.dropout._DropoutNd):
        return module.p > 0
    return float(getattr(module, "drop_prob", 0.0) or 0.0) > 0 or (
        isinstance(module, nn.MultiheadAttention) and module.dropout > 0
    )
