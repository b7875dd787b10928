"""The evaluation page: every figure of the document and the cases behind them, in one file that needs no network.

The template holds the order and the words; this module only gathers. What the data cannot support reads "not
available" with its reason, and whatever comes from data is escaped by the template engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from shared_model.metrics.document import EVERY_SITE, PROTOCOL_LABELS
from shared_model.metrics.predictions import Predictions
from shared_model.metrics.summary import figure
from shared_model.records import TASKS
from shared_model.report import views
from shared_model.report.cohort import address
from shared_model.report.evaluation import coverage, inputs, reliability, roc, searches, subgroups
from shared_model.report.evaluation.cases import OWN, SAME, Cases, Mistake, Photograph, Search
from shared_model.report.templates import environment, look
from shared_model.report.text import share

_HERE = Path(__file__).parent
Document = Mapping[str, Any]

_SECTIONS = (
    ("summary", "Summary"),
    ("inputs", "What the photograph contributed"),
    ("referable", "Referable retinopathy"),
    ("confusion", "Confusion"),
    ("calibration", "Calibration"),
    ("referral", "Who goes to a person"),
    ("subgroups", "Subgroups"),
    ("retrieval", "Retrieval"),
    ("examples", "Searches"),
    ("errors", "Hardest errors"),
)
_MARKS = {OWN: "own photograph", SAME: "equal note"}
_MATRICES = {"image": "Image only", "note": "Note only, masked", "structured": "Form only"}


def render(document: Document, predictions: Predictions, cases: Cases, seed: int = 0) -> str:
    """One self-contained HTML page.

    document: as docs/metrics.md says. predictions: what it was made of, for the curves that it does not hold.
    seed: of the resamples. Raises ValueError for a photograph that is neither PNG nor JPEG.
    """
    run = document["run"]
    resampling = run["resamples"], seed
    return (
        environment(_HERE)
        .get_template("evaluation.html")
        .render(
            **look(_HERE / "evaluation.css"),
            headline=_headline(document, predictions),
            facts=_facts(run, predictions),
            sections=_SECTIONS,
            tasks=TASKS,
            resamples=run["resamples"],
            folds=run.get("folds"),
            version=run["package_version"],
            errors=document["verdict"]["errors"],
            notices=[*_about_data(predictions), *document["verdict"]["warnings"], *run["notices"]],
            tiles=tiles(document),
            summary=[_summary(document, predictions, *resampling), searches.guard(document)],
            graded={task: _graded(document, predictions, task, *resampling) for task in TASKS},
            retrieval=[searches.protocol(document, name) for name in PROTOCOL_LABELS],
            ranks=searches.beyond(document, "unimodal"),
            guard=searches.guard(document),
            searches=[_search(search) for search in cases.searches],
            why_no_search=searches.why(document, "unimodal") or "there is no search to show",
            mistakes={task: [_mistake(m) for m in cases.mistakes.get(task, ())] for task in TASKS},
        )
    )


def tiles(document: Document) -> list[dict[str, str]]:
    """The numbers at the top: title, value, interval and small print."""
    icdr = document["models"]["federated"][EVERY_SITE]["icdr"]
    found = document["models"]["federated"][EVERY_SITE]["retrieval"]["unimodal"]["text_to_image"]
    ceiling = found["share_of_ceiling_at_10"]
    trust = document["trust"]["icdr"]
    after, at = (
        trust["calibration"]["after"],
        "at its temperature" if trust["fitted"] else "as the model says",
    )
    shown = [
        ("ICDR kappa, all inputs", views.cell(figure(icdr)), "notes with the grade masked"),
        (
            "ICDR kappa, image only",
            views.cell(figure(icdr["by_input"]["image"])),
            "the photograph and nothing else",
        ),
        ("Referable, AUROC", views.cell(figure(icdr["referable"], "auroc")), "ICDR 2 and above, all inputs"),
        ("Calibration error", views.cell(figure(after, "ece")), f"ICDR, {at}"),
        ("Retrieval, R@10", _share(found["recall_at_10"]), _of_ceiling(ceiling)),
    ]
    return [
        {"title": title, "value": value.value, "interval": value.small, "note": note}
        for title, value, note in shown
    ]


def _graded(
    document: Document, predictions: Predictions, task: str, resamples: int, seed: int
) -> dict[str, Any]:
    """All that is drawn and said about one task."""
    trust = document["trust"][task]
    figures = document["models"]["federated"][EVERY_SITE][task]
    return {
        "n": figures["n"],
        "why": figures["unavailable"] or "",
        "inputs": inputs.by_input(document, task),
        "table": inputs.table(document, task),
        "contributions": inputs.contributions(predictions, task, resamples, seed),
        "roc": roc.drawing(document, predictions, task, resamples, seed),
        "roc_rows": roc.rows(document, task),
        "roc_why": figures["referable"]["unavailable"] or "",
        "matrices": _matrices(document, task),
        "reliability": [d for which in reliability.SIDES if (d := reliability.drawing(trust, which, task))],
        "calibration": reliability.rows(trust),
        "fitted": trust["fitted"],
        "coverage": coverage.drawing(trust, task),
        "referral": coverage.sentences(trust),
        "trust_why": trust["unavailable"] or "",
        "subgroups": subgroups.forest(document, task),
        "worst_site": subgroups.worst_site(document, task),
    }


def _headline(document: Document, predictions: Predictions) -> str:
    if not document["verdict"]["ok"]:
        return "This evaluation does not hold"
    patients = len(np.unique(predictions.patient))
    people = f"{patients:,} patient{'' if patients == 1 else 's'}"
    count = len(predictions)
    return f"The model on {count:,} photograph{'' if count == 1 else 's'} of {people}"


def _about_data(predictions: Predictions) -> list[str]:
    """What makes every figure doubtful, before any warning of the document."""
    if len(np.unique(predictions.patient)) != 1:
        return []
    return ["There is a single patient: no figure has an interval, and none says anything about others."]


def _facts(run: Mapping[str, Any], predictions: Predictions) -> list[str]:
    split = {"test": "test patients of the run’s own data", "all": "every record of the data"}
    sites = [site for site in np.unique(predictions.site) if site]
    said = [
        split.get(run.get("split", ""), ""),
        f"cross-validated, {run['folds']} folds" if run.get("folds") else "",
        f"{len(sites)} sites" if sites else "",
        f"{run['quarantined']:,} rows left out" if run["quarantined"] else "",
    ]
    return [fact for fact in said if fact]


def _summary(document: Document, predictions: Predictions, resamples: int, seed: int) -> str:
    said = inputs.sentence(document, predictions, "icdr", resamples, seed)
    why = document["models"]["federated"][EVERY_SITE]["icdr"]["unavailable"]
    return said or f"ICDR grading: not available ({why or 'no figure'})."


def _matrices(document: Document, task: str) -> list[dict[str, Any]]:
    """All inputs, then the single ones, then each site with all inputs; those without a photograph are left out."""
    groups = document["models"]["federated"]
    figures = groups[EVERY_SITE][task]
    named = [
        ("All inputs", figures),
        *((label, figures["by_input"][given]) for given, label in _MATRICES.items()),
        *((f"{site}, all inputs", group[task]) for site, group in groups.items() if site != EVERY_SITE),
    ]
    return [views.matrix(name, found) for name, found in named if found["n"]]


def _search(search: Search) -> dict[str, Any]:
    return {
        "note": search.note,
        "name": search.name,
        "place": _place(search),
        "found": [
            _picture(found.photograph) | {"hit": found.hit, "mark": _MARKS.get(found.hit, "")}
            for found in search.found
        ],
    }


def _place(search: Search) -> str:
    """Where a note finds its photograph and its like, and whether it tells them from others at all."""
    own, first, gallery = search.own, search.first, search.gallery
    if own.tied == gallery > 1:
        return f"All {gallery:,} photographs score the same: the search tells nothing, and the order is the table’s."
    where = "first" if own.rank == 1 else f"as number {_rounded(own.rank)}"
    said = f"Its own photograph comes {where} of {gallery:,}"
    if own.tied > 1:
        said += f", the middle of {own.tied:,} that score the same"
    if search.copies > 1:
        said += f"; {search.copies:,} have this note, the first of them number {_rounded(first.rank)}"
        said += f" on average over {first.tied:,} that score the same" if first.others else ""
    return f"{said}."


def _rounded(rank: float) -> str:
    """A place of at most one decimal."""
    return f"{round(rank, 1):,.1f}".removesuffix(".0")


def _mistake(mistake: Mistake) -> dict[str, Any]:
    return _picture(mistake.photograph) | {
        "recorded": mistake.recorded,
        "predicted": mistake.predicted,
        "confidence": share(max(mistake.probabilities)),
        "given": share(mistake.probabilities[mistake.recorded]),
        "bars": [round(100 * float(p), 1) for p in mistake.probabilities],
        "said": mistake.said,
    }


def _picture(photograph: Photograph) -> dict[str, Any]:
    grades = ", ".join(f"{task.upper()} {grade}" for task, grade in photograph.grades.items())
    return {
        "source": address(photograph.image),
        "name": photograph.name,
        "grades": grades or "no grade recorded",
    }


def _share(value: float | None) -> views.Cell:
    return views.Cell("") if value is None else views.Cell(share(value))


def _of_ceiling(value: float | None) -> str:
    return "unimodal, note to photograph" + (f"; {share(value)} of the ceiling" if value is not None else "")
