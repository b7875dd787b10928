"""The plot of kappa against epsilon, between the model without privacy above and the most frequent grade below."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared_model.files import write_bytes


def plot(document: Mapping[str, Any], path: Path) -> None:
    """Draw the document of simulations.privacy_curve to a PNG; models without a figure are left out."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
    private = [(row["epsilon"], row["figures"][0]) for row in document["rows"] if row["epsilon"] is not None]
    known = [(epsilon, found) for epsilon, found in private if found["value"] is not None]
    values = [found["value"] for _, found in known]
    if known:
        bounds = [found["interval"] or [found["value"]] * 2 for _, found in known]
        errors = [
            [value - low for value, (low, _) in zip(values, bounds, strict=True)],
            [high - value for value, (_, high) in zip(values, bounds, strict=True)],
        ]
        axes.errorbar(
            [epsilon for epsilon, _ in known], values, errors, marker="o", capsize=3, label="private"
        )
    for row, style in zip([r for r in document["rows"] if r["epsilon"] is None], (":", "--"), strict=False):
        if row["figures"][0]["value"] is not None:
            axes.axhline(row["figures"][0]["value"], linestyle=style, color="0.4", label=row["model"])
    axes.set_xscale("log")
    epsilons = [epsilon for epsilon, _ in private]
    axes.set_xticks(epsilons, [f"{epsilon:g}" for epsilon in epsilons])
    axes.minorticks_off()
    axes.set_xlabel(f"epsilon of the whole run, at delta {document['delta']:g}")
    axes.set_ylabel("quadratic weighted kappa, ICDR")
    axes.legend()
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=150)
    pyplot.close(figure)
    write_bytes(path, content.getvalue())
