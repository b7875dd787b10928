"""One gradient a slot from one ordinary pass: what each layer read, and what came back to what it gave.

A layer's gradient for a few rows of a batch is the product of what it read of them and of the gradient at what it
gave (Goodfellow 2015; Opacus's hooks do the same). So all slots need one forward pass and one backward pass that asks
for no weight, at about the cost of a plain step. Layers are seen as they are called, so that the model's own code runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

Write = Callable[[Tensor], None]


class Taps(TorchFunctionMode):
    """Within it every linear layer and layer normalisation is seen; other parameters are read through `vector` and
    `normed_linear`. Then `gradients`, once.

    parameters: what is trained, in the order wanted. out: (S, P), one row a slot. The rows of a batch are those of the
    slots one after the other, as many of each.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], out: Tensor) -> None:
        super().__init__()
        self._out = out
        self._first: dict[int, int] = {}  # id of a parameter -> where its numbers begin in a row of `out`
        place = 0
        for parameter in parameters:
            self._first[id(parameter)] = place
            place += parameter.numel()
        self._taps: list[tuple[Tensor, Write]] = []

    def __torch_function__(
        self, function: Any, types: Any, arguments: Sequence[Any] = (), named: Any = None
    ) -> Any:
        """Called by torch for every operation."""
        found = function(*arguments, **(named or {}))
        if function is F.linear:
            self._linear(found, *arguments, **(named or {}))
        elif function is F.layer_norm:
            self._layer_norm(found, *arguments, **(named or {}))
        return found

    def vector(self, parameter: nn.Parameter, *shape: int) -> Tensor:
        """A parameter (width,) repeated to `shape`, whose first dimension are the batch's rows and last is width."""
        repeated = parameter.expand(*shape)
        self._taps.append((repeated, lambda back: self._sum(self._rows(back), parameter)))
        return repeated

    def normed_linear(self, normed: Tensor, norm: nn.LayerNorm, linear: nn.Linear) -> Tensor:
        """`linear` of `norm`, of what is normalised already but for the scale and shift of `norm`.

        These are multiplied into the weights of `linear`, so that no product as large as `normed` is needed for them.
        """
        with torch._C.DisableTorchFunction():
            bias = F.linear(norm.bias, linear.weight, linear.bias)
            # Slot by slot, which is quicker: what a slot reads stays in the processor's cache.
            weight = (linear.weight * norm.weight).t().contiguous()
            slots = len(self._out)
            rows = torch.baddbmm(bias.expand(slots, 1, -1), self._rows(normed), weight.expand(slots, -1, -1))
            found = rows.view(*normed.shape[:-1], len(bias))

        def write(back: Tensor) -> None:
            rows = self._rows(back)
            weights, sums = self._part(linear.weight), self._part(linear.bias)
            torch.bmm(rows.transpose(1, 2), self._rows(normed), out=weights)
            torch.sum(rows, dim=1, out=sums)
            if self._holds(norm.weight):
                torch.sum(weights * linear.weight, dim=1, out=self._part(norm.weight))
                torch.mm(sums, linear.weight, out=self._part(norm.bias))
            weights.mul_(norm.weight).addcmul_(sums.unsqueeze(2), norm.bias)

        self._taps.append((found, write))
        return found

    def gradients(self, loss: Tensor) -> None:
        """Of `loss`, a sum over slots: each slot's own into its row of `out`, which is left as it is where a parameter
        was not read.
        """
        outputs = [output for output, _ in self._taps]
        backs = torch.autograd.grad(loss, outputs, allow_unused=True)
        with torch.no_grad():
            for (_, write), back in zip(self._taps, backs, strict=True):
                if back is not None:
                    write(back)

    def _linear(self, found: Tensor, read: Tensor, weight: Tensor, bias: Tensor | None = None) -> None:
        def write(back: Tensor) -> None:
            rows = self._rows(back)
            if self._holds(weight):
                torch.bmm(rows.transpose(1, 2), self._rows(read), out=self._part(weight))
            self._sum(rows, bias)

        if self._holds(weight) or self._holds(bias):
            self._taps.append((found, write))

    def _layer_norm(
        self,
        found: Tensor,
        read: Tensor,
        shape: Sequence[int],
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        eps: float = 1e-5,
    ) -> None:
        def write(back: Tensor) -> None:
            rows = self._rows(back)
            if self._holds(weight):
                self._sum(rows * self._rows(F.layer_norm(read, shape, eps=eps)), weight)
            self._sum(rows, bias)

        if self._holds(weight) or self._holds(bias):
            self._taps.append((found, write))

    def _sum(self, rows: Tensor, parameter: Tensor | None) -> None:
        if parameter is not None and self._holds(parameter):
            torch.sum(rows, dim=1, out=self._part(parameter))

    def _rows(self, batch: Tensor) -> Tensor:
        """(B, ..., width) as (S, N, width)."""
        return batch.reshape(len(self._out), -1, batch.shape[-1])

    def _holds(self, weight: Tensor | None) -> bool:
        return weight is not None and id(_whole(weight)) in self._first

    def _part(self, weight: Tensor) -> Tensor:
        """Where the gradients of a parameter, or of some of its rows, are written: (S, *shape)."""
        whole = _whole(weight)
        first = self._first[id(whole)] + weight.storage_offset() - whole.storage_offset()
        return self._out[:, first : first + weight.numel()].view(len(self._out), *weight.shape)


def _whole(weight: Tensor) -> Tensor:
    """The parameter that this is, or is some rows of."""
    return weight if weight._base is None else weight._base
