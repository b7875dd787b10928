"""What first layers give away without any search: patches of a photograph, values of a form.

A linear layer's weight gradient is the sum over its inputs of (output gradient) x (input). Where the output gradients
are known too, the inputs follow. A form's one input: from the bias gradient (Phong et al. 2017). A photograph's
patches: from the gradient of the position embeddings, which are added to the very outputs of the patch embedding, so
that both have the same gradient (after Lu et al. 2022, "APRIL").
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

FORM = "model.structured_encoder.mlp.0"
PATCHES, POSITIONS = "model.image_encoder.vit.patch_embed.proj", "model.image_encoder.vit.pos_embed"


def form(moved: Mapping[str, Tensor]) -> Tensor | None:
    """The form (6,) of the one patient that `moved` is the gradient of; None where its first layer does not travel."""
    weight, bias = moved.get(f"{FORM}.weight"), moved.get(f"{FORM}.bias")
    if weight is None or bias is None or not bool(bias.any()):
        return None
    weight, bias = weight.double(), bias.double()
    found: Tensor = (bias @ weight) / bias.square().sum()
    return found.float()


def photograph(moved: Mapping[str, Tensor], mean: Tensor, trust: float) -> Tensor | None:
    """The standardised photograph (1, 3, S, S) whose gradient `moved` is.

    mean: the attacker's mean photograph, which decides where the gradient does not. trust: in the gradient's weakest
    directions, as a share of the strongest. None where the image encoder begins otherwise, or these tensors do not
    travel.
    """
    weight = moved.get(f"{PATCHES}.weight")
    if weight is None or weight.dim() != 4 or weight.shape[1] != 3:
        return None
    side = weight.shape[2]
    grid = mean.shape[-1] // side
    found = inputs(weight, moved.get(POSITIONS), _cut(mean, grid, side), trust)
    if found is None:
        return None
    patches = found.view(grid, grid, 3, side, side)
    image: Tensor = patches.permute(2, 0, 3, 1, 4).reshape(1, 3, grid * side, grid * side)
    return image


def inputs(weight: Tensor, positions: Tensor | None, usual: Tensor, trust: float) -> Tensor | None:
    """The inputs (T, I) of a linear layer whose outputs (T, O) position embeddings are added to.

    weight: gradient of the layer's (O, I, ...). positions: gradient of the embeddings (1, 1 + T, O), CLS first. usual:
    (T, I), what the inputs are taken for where the gradients do not say. None without the embeddings' gradient.
    """
    if positions is None or not bool(positions[0, -len(usual) :].any()):
        return None
    outputs = positions[0, -len(usual) :].double()
    strength = torch.linalg.matrix_norm(outputs, 2)
    left = weight.reshape(len(weight), -1).double() - outputs.T @ usual.double()
    ridge = trust * torch.eye(len(usual), dtype=torch.float64)
    wanted = torch.cat([left / strength, torch.zeros(usual.shape, dtype=torch.float64)])
    found = torch.linalg.lstsq(torch.cat([outputs.T / strength, ridge]), wanted).solution
    read: Tensor = (found + usual.double()).float()
    return read


def _cut(image: Tensor, grid: int, side: int) -> Tensor:
    """A photograph (1, 3, S, S) as its patches, (grid**2, 3 * side**2)."""
    return image.view(3, grid, side, grid, side).permute(1, 3, 0, 2, 4).reshape(grid**2, -1)
