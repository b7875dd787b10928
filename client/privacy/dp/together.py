"""The gradients of many patients in one pass, each as it would be alone.

One backward pass a patient costs several times a plain step. Here records go through the trained part in slots of a
batch whose shape is a constant, and torch.func.vmap gives one gradient a slot; what the frozen encoders give of them
is read from the trunk cache or computed without gradient. Nothing in a slot reads another slot, and `alone` looks
whether this machine's arithmetic keeps to that to the last bit: a matrix product may round one row by another's place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from client.privacy.dp.plan import Plan
from client.privacy.dp.record_loss import RecordLoss
from shared_model.losses import Batch, Objective
from shared_model.losses.grading import MISSING
from shared_model.model.fusion_model import FusionModel
from shared_model.records import GRADES, MODALITIES, TASKS

RECORDS = 2  # of one patient in a slot: most have two eyes, and every slot costs a gradient
MOST_SLOTS = 32  # of a pass: enough for full speed, and 32 gradients of 1e5 numbers are 13 MB


@dataclass(frozen=True)
class Records:
    """The records of one patient, R of them. keep: which modalities grading may read, (R,) each."""

    batch: Batch
    keep: Mapping[str, Tensor]


@dataclass(frozen=True)
class Slots:
    """S slots of R = RECORDS records each. weight: of a record's loss of each task in the loss of its patient; 0 where
    there is no label, or no record.
    """

    image: Tensor  # (S, R, 3, H, W), or (S, R, T, encoder width) what the frozen part gives of it
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
    def of(cls, parts: Sequence[Slots], count: int) -> Slots:
        """`parts` one after the other, and zeros up to `count` slots."""
        together = [torch.cat(own) for own in zip(*(part.tensors() for part in parts), strict=True)]
        return cls(*(_filled(own, count) for own in together))

    @classmethod
    def of_records(cls, *tensors: Tensor) -> Slots:
        """One patient's records, in the order of the fields and each (records, ...), as slots."""
        found = []
        for field, own in zip(fields(cls), tensors, strict=True):
            slots = -(-len(own) // RECORDS)
            whole = _filled(own, slots * RECORDS, 1 if field.name == "here" else 0)
            found.append(whole.view(slots, RECORDS, *own.shape[1:]))
        return cls(*found)


class Together:
    """Gradients of an objective's grading loss, one a patient. parameters: what is trained, in the order wanted.

    slots: of a pass, a constant, so that the shape of no product depends on who was drawn.
    """

    def __init__(self, objective: Objective, parameters: Sequence[nn.Parameter], slots: int) -> None:
        self.slots = slots
        self._objective = objective
        self._loss = RecordLoss(objective)
        names = {id(parameter): name for name, parameter in self._loss.named_parameters()}
        self._trained = {names[id(parameter)]: parameter for parameter in parameters}
        self._gradients = vmap(grad(self._of_one), in_dims=(None, *[0] * len(fields(Slots))))

    @torch.no_grad()
    def prepared(self, records: Records) -> Slots:
        """A patient's records as slots: what the frozen encoders give of them, computed from them alone."""
        batch, model = records.batch, self._objective.model
        count = len(batch.structured)
        here = torch.stack([batch.present[name] & records.keep[name] for name in MODALITIES], dim=1)
        labels = torch.stack([batch.labels[task] for task in TASKS], dim=1)
        text, mask = self._text(batch)
        image = batch.image if batch.image_trunk is None else batch.image_trunk
        return Slots.of_records(
            image if model.image_encoder is not None else torch.zeros(count, 1),
            text,
            mask,
            batch.structured,
            here,
            labels.clamp(min=0),
            self._weights(labels),
        )

    def gradients(self, patients: Iterable[Slots]) -> Iterator[Tensor]:
        """One gradient (P,) a patient, in their order; each has at most `slots` slots."""
        for some in passes(patients, self.slots):
            each = self.of_slots(Slots.of(some, self.slots))
            first = 0
            for own in some:
                last = first + len(own.label)
                yield each[first] if last == first + 1 else each[first:last].sum(dim=0)
                first = last

    def of_slots(self, slots: Slots) -> Tensor:
        """One gradient a slot, (S, P)."""
        image, *others = slots.tensors()
        weights = {name: parameter.detach() for name, parameter in self._trained.items()}
        with sdpa_kernel(SDPBackend.MATH):
            features = self._loss.features(image.flatten(0, 1))
            found = self._gradients(weights, features.view(*image.shape[:2], *features.shape[1:]), *others)
        return torch.cat([found[name].flatten(1) for name in self._trained], dim=1)

    @torch.no_grad()
    def alone(self, like: Slots) -> bool:
        """Whether a slot's gradient is the same, bit for bit, in every place and whatever stands in the others.

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
        first, second = self.of_slots(same), self.of_slots(others)
        return bool((first == first[0]).all() and (second[::2] == first[0]).all())

    def _of_one(self, weights: dict[str, Tensor], *slot: Tensor) -> Tensor:
        loss: Tensor = functional_call(self._loss, weights, slot)
        return loss

    def _text(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Features of the notes that grading reads and their mask, at one length whatever the notes."""
        encoder, count = self._objective.model.text_encoder, len(batch.structured)
        if encoder is None:
            return torch.zeros(count, 1, 1), torch.ones(count, 1, dtype=torch.bool)
        note = batch.masked_note if self._objective.config.mask_notes else batch.note
        # What is kept is all of it, as none of the encoder's layers is trained.
        hidden = encoder(note.ids, note.mask) if note.trunk is None else note.trunk[:, : encoder.kept]
        length = hidden.shape[1]
        text = hidden.new_zeros(count, encoder.kept, encoder.width)
        mask = torch.zeros(count, encoder.kept, dtype=torch.bool)
        text[:, :length], mask[:, :length] = hidden, note.mask[:, :length] == 1
        return text, mask

    def _weights(self, labels: Tensor) -> Tensor:
        """As PatientObjective's grading loss: the mean over tasks of the mean over the patient's labelled records."""
        known = (labels != MISSING).float()
        counts = known.sum(dim=0)
        weights = known / counts.clamp(min=1) / (counts > 0).sum().clamp(min=1)
        balance = self._objective.class_weights
        if balance is not None:
            own = torch.stack(
                [balance[task][labels[:, i].clamp(min=0)] for i, task in enumerate(TASKS)], dim=1
            )
            weights = weights * own
        return weights * self._objective.weighting.fixed["grading"]


def slots_of(plan: Plan) -> int:
    """Of a pass at this site: from constants alone, and room for every patient."""
    return max(-(-plan.records // RECORDS), min(MOST_SLOTS, round(plan.rate * plan.patients)))


def _filled(tensor: Tensor, count: int, value: int = 0) -> Tensor:
    """`tensor` (N, ...) with entries of `value` up to (count, ...)."""
    if len(tensor) == count:
        return tensor
    return torch.cat([tensor, tensor.new_full((count - len(tensor), *tensor.shape[1:]), value)])


def passes(patients: Iterable[Slots], slots: int) -> Iterator[list[Slots]]:
    """Patients in their order, as many at a time as fit."""
    some: list[Slots] = []
    room = slots
    for own in patients:
        if len(own.label) > room:
            yield some
            some, room = [], slots
        some.append(own)
        room -= len(own.label)
    if some:
        yield some


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
