"""The result of a check as one page that needs no network, for whoever has to decide about it.

Counts, findings and plots of counts: no photograph, no row, no name, no value of a patient is in it, and it says so.
It looks like the report of a run, since the same people read both.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import matplotlib
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from client.check.check import CheckResult
from client.check.screen import counts, field_name
from client.check.summary import BRIGHTNESS_BINS, Summary
from client.data.pipeline import PIPELINE_VERSION
from shared_model.report import palette
from shared_model.report.plots import panel, styled, svg
from shared_model.version import PACKAGE_VERSION

_HERE = Path(__file__).parent
LEVELS = {
    "blocks": "stops the site",
    "costs_rows": "costs rows",
    "warning": "warning",
    "note": "worth knowing",
}


def render(result: CheckResult) -> str:
    """One self-contained HTML page."""
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    summary = result.summary
    return environment.get_template("check.html").render(
        css=Markup((files("shared_model.report") / "page.css").read_text("utf-8")),
        colours=palette.ALL,
        result=result,
        levels=LEVELS,
        counts=counts(summary) if summary else [],
        plots=_plots(summary) if summary else [],
        estimate=result.estimate.sentences() if result.estimate else [],
        package=PACKAGE_VERSION,
        pipeline=PIPELINE_VERSION,
    )


def _plots(summary: Summary) -> list[tuple[str, Markup]]:
    matplotlib.use("svg")
    grades = [str(grade) for grade in range(5)]
    drawn = [
        (f"{task.upper()} grades", _bars(grades, held, f"Photographs by {task.upper()} grade"))
        for task, held in summary.grades.items()
        if sum(held)
    ]
    missing = {name: count for name, count in summary.missing.items() if count}
    if missing:
        names = [field_name(name) for name in missing]
        shares = [100 * count / max(1, summary.photographs) for count in missing.values()]
        drawn.append(
            ("Missing values, % of photographs", _rows(names, shares, "Share of photographs without a value"))
        )
    positive = {name: held for name, held in summary.findings.items() if held[1]}
    if positive:
        names = [name.replace("_", " ") for name in positive]
        shares = [100 * found / recorded for found, recorded in positive.values()]
        drawn.append(
            ("Findings, % of photographs on record", _rows(names, shares, "Share with each finding"))
        )
    if sum(summary.brightness):
        drawn.append(("Brightness of the photographs, 0 to 255", _histogram(summary.brightness)))
    return drawn


def _bars(names: Sequence[str], values: Sequence[int], label: str) -> Markup:
    with styled():
        figure, (axis,) = panel(4.2, 2.2)
        bars = axis.bar(names, values, color=palette.FEDERATED.light, width=0.7)
        axis.bar_label(bars, labels=[f"{value:,}" for value in values], padding=2, fontsize=8)
        axis.grid(axis="x", visible=False)
        return svg(figure, f"{label}: {', '.join(f'{n} {v}' for n, v in zip(names, values, strict=True))}")


def _rows(names: Sequence[str], values: Sequence[float], label: str) -> Markup:
    with styled():
        figure, (axis,) = panel(4.2, 0.6 + 0.19 * len(names))
        bars = axis.barh(names, values, color=palette.FEDERATED.light, height=0.65)
        axis.bar_label(bars, labels=[f"{value:.1f}" for value in values], padding=2, fontsize=8)
        axis.invert_yaxis()
        axis.set_xlim(0, max(1.0, 1.15 * max(values)))
        axis.grid(axis="y", visible=False)
        return svg(
            figure, f"{label}: {', '.join(f'{n} {v:.1f} %' for n, v in zip(names, values, strict=True))}"
        )


def _histogram(values: Sequence[int]) -> Markup:
    with styled():
        figure, (axis,) = panel(4.2, 2.2)
        step = 256 / BRIGHTNESS_BINS
        axis.bar(
            [step * (k + 0.5) for k in range(len(values))],
            values,
            width=0.9 * step,
            color=palette.FEDERATED.light,
        )
        axis.set_xlim(0, 256)
        axis.grid(axis="x", visible=False)
        return svg(figure, "Photographs by the mean level of their strongest channel")
