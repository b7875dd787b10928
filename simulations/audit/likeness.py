"""How near a rebuilt photograph comes to the original: PSNR in decibels, and SSIM (Wang et al. 2004)."""

from __future__ import annotations

import io

from PIL import Image
from torch import Tensor
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)


def likeness(found: Tensor, original: Tensor) -> dict[str, float]:
    """Of two photographs (1, 3, S, S) in [0, 1]."""
    psnr = peak_signal_noise_ratio(found, original, data_range=1.0)
    ssim = structural_similarity_index_measure(found, original, data_range=1.0)
    assert isinstance(ssim, Tensor)
    return {"psnr": min(99.0, float(psnr)), "ssim": float(ssim)}


def png(photograph: Tensor) -> bytes:
    """A photograph (1, 3, S, S) in [0, 1] as a PNG file's bytes."""
    pixels = (photograph[0].permute(1, 2, 0) * 255).round().byte().numpy()
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()
