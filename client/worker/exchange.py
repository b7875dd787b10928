"""A site's end of the exchange: the base out of what arrives, and an update out of what was trained.

It keeps two things on the site's own disk, sealed where the site seals: the base it holds (where the coordinator
sends changes) and what rounding took from its updates. The latter is kept by round, since only the coordinator
knows which update it used: what is owed after an update that was refused or lost is what was owed before it, and a
site asked again for the same round and base packs the same bytes.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

from client.vault import Vault
from client.worker.tensor_files import TensorFiles
from shared_model.config import Config
from shared_model.errors import DataError
from shared_model.exchange import CodecError, Coding, Payload, fingerprint
from shared_model.exchange.base import changed, received
from shared_model.exchange.bf16 import from_bf16, to_bf16
from shared_model.exchange.codec import Randoms, Shapes, Wire, shapes_of
from shared_model.exchange.coding import EXCHANGE, FULL_SET
from shared_model.exchange.parameters import Arrays
from shared_model.exchange.update import pack_update
from shared_model.randomness import numpy_generator

HELD = "held.safetensors"
_OWED = re.compile(r"owed-(\d+)\.safetensors")

log = logging.getLogger(__name__)


class SiteExchange:
    """The exchange of one site in one run; its files lie in `folder`, on the disk at once if they are to be durable."""

    def __init__(
        self, site: str, config: Config, folder: Path, vault: Vault | None = None, *, durable: bool = True
    ) -> None:
        self._site = site
        self._seed = config.seed
        self._config = config.exchange
        if config.secure_aggregation.enabled:  # which has a form of its own for what goes up
            self._config = config.exchange.model_copy(update={"uplink": "fp32", "error_feedback": False})
        self._files = TensorFiles(folder, vault, durable=durable)

    def receive(self, request: Payload, shapes: Shapes) -> Arrays | None:
        """The base that a request brings; None where it changes a set that this site does not hold.

        shapes: of the tensors that travel. Raises DataError naming what is wrong with the message.
        """
        try:
            coding = Coding.of(request.fields)
            if coding is None:
                return received(request.arrays, "fp32", shapes)
            base = self._base(request, coding, shapes)
        except CodecError as error:
            raise _unusable(str(error)) from None
        if base is not None and self._config.downlink == "int8":
            self._files.write(HELD, {name: to_bf16(array) for name, array in base.items()})
        return base

    def answer(self, request: Payload, fields: dict[str, Any]) -> Payload:
        """An answer without tensors, which tells what the site now holds."""
        coding = Coding.of(request.fields)
        return Payload(fields=fields if coding is None else fields | _said(Coding("fp32", coding.base)))

    def update(self, request: Payload, fields: dict[str, Any], base: Arrays, trained: Arrays) -> Payload:
        """The answer to `train`: fields and the packed update. fields: with `round`, and `untrained` if any are.

        Raises DataError naming the tensor for an update that is not finite; nothing is kept of it then.
        """
        coding = Coding.of(request.fields)
        if coding is None:  # the coordinator packs nothing, and so expects nothing packed
            return Payload(trained, fields)
        number, codec = int(fields["round"]), self._config.uplink
        taken = coding.taken if coding.taken < number else 0
        owed = self._owed(taken, shapes_of(base)) if self._config.error_feedback else {}
        try:
            wire, left = pack_update(
                trained,
                base,
                codec,
                owed=owed,
                idle=fields.get("untrained", ()),
                randoms=self._randoms(number),
            )
        except CodecError as error:
            raise DataError(f"the update cannot be packed: {error}", fix="see this site's log") from None
        if codec != "fp32" and self._config.error_feedback:
            self._keep(number, taken, left)
        return Payload(wire, fields | _said(Coding(codec, coding.base)))

    def _base(self, request: Payload, coding: Coding, shapes: Shapes) -> Arrays | None:
        if coding.upon is None:
            base = received(request.arrays, coding.codec, shapes)
            if fingerprint(base) != coding.base:
                raise CodecError("holds other tensors than it says")
            return base
        held = self._held()
        if held is None or shapes_of(held) != dict(shapes):
            return None
        found = fingerprint(held)
        if found == coding.base:  # asked again: the change has been made already
            return held
        if found != coding.upon:
            return None
        base = changed(held, request.arrays)
        return base if fingerprint(base) == coding.base else None

    def _held(self) -> Arrays | None:
        found = self._kept(HELD)
        return None if found is None else {name: from_bf16(bits) for name, bits in found.items()}

    def _owed(self, taken: int, shapes: Shapes) -> Arrays:
        """What was owed after round `taken`, nothing where that is not known or is of another model."""
        found = self._kept(_name(taken)) if taken else None
        if found is None or any(shapes.get(name) != array.shape for name, array in found.items()):
            return {}
        return found

    def _keep(self, number: int, taken: int, left: Arrays) -> None:
        """What is owed if this round's update is used, beside what is owed if it is not; older ones go."""
        names = [path.name for path in self._files.folder.glob("owed-*.safetensors")]
        found = [int(match[1]) for name in names if (match := _OWED.fullmatch(name))]
        old = [_name(one) for one in found if one not in (number, taken)]
        self._files.write(_name(number), left, over=old[0] if old else None)
        for name in old:
            (self._files.folder / name).unlink(missing_ok=True)

    def _kept(self, name: str) -> Wire | None:
        """A file of ours; a damaged one is as good as none, since the run can go on without it."""
        try:
            return self._files.read(name)
        except DataError as error:
            log.warning("going on without %s: %s", name, error)
            return None

    def _randoms(self, number: int) -> Randoms | None:
        if not self._config.stochastic_rounding:
            return None
        return lambda name: numpy_generator(self._seed, "rounding", self._site, number, name)


def full_set_needed(request: Payload, site: str) -> Payload:
    """The answer of a site that cannot make the base out of the change that it was sent."""
    return Payload(fields={"site": site, "round": int(request.fields["round"]), FULL_SET: True})


def _said(coding: Coding) -> dict[str, Any]:
    return {EXCHANGE: coding.to_field()}


def _name(number: int) -> str:
    return f"owed-{number}.safetensors"


def _unusable(why: str) -> DataError:
    return DataError(
        f"the coordinator's message cannot be used ({why})",
        fix="the coordinator must run the same release and configuration",
    )
