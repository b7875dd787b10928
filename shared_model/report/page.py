"""The report page: everything a run left behind, put together in one file that needs no network.

The template holds the order and the words, the stylesheet the look; this module only gathers. Whatever comes
from data or configuration is escaped by the template engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared_model.metrics.summary import model_label, ordered
from shared_model.records import TASKS
from shared_model.report import cohort, curves, palette, verdict, views
from shared_model.report.dots import kappa_by_input
from shared_model.report.forest import forest
from shared_model.report.modalities import worth, worth_drawing
from shared_model.report.templates import environment, look

Entry = Mapping[str, Any]

_SECTIONS = (
    ("models", "Models"),
    ("differences", "Differences"),
    ("inputs", "Inputs"),
    ("modalities", "Modalities"),
    ("convergence", "Convergence"),
    ("confusion", "Confusion"),
    ("retrieval", "Retrieval"),
    ("partition", "Sites"),
    ("photographs", "Photographs"),
    ("losses", "Losses"),
    ("traffic", "Bytes and time"),
    ("weights", "Weights and budget"),
    ("configuration", "Configuration"),
)


def render(
    document: Mapping[str, Any],
    history: Sequence[Entry],
    config_toml: str,
    partition: Mapping[str, Any],
    samples: Mapping[str, Sequence[tuple[bytes, str]]],
) -> str:
    """One self-contained HTML page.

    document, history, partition: the contents of metrics.json, history.jsonl and partition.json.
    config_toml: the run's whole configuration. samples: site -> PNG or JPEG bytes with their captions.
    What the data could not support (None) reads "not available". Raises ValueError for a sample photograph
    that is neither PNG nor JPEG.
    """
    sites = palette.site_colours(list(partition.get("sites") or {}))
    run = document.get("run") or {}
    return (
        environment()
        .get_template("page.html")
        .render(
            **look(),
            tasks=TASKS,
            sites=sites,
            facts=cohort.facts(run),
            cost=cohort.cost(run),
            resamples=run.get("resamples"),
            version=run.get("package_version"),
            notices=_notices(document, partition),
            config=config_toml,
            legend=_legend(document["models"], sites),
            trained=_legend(dict.fromkeys(entry["model"] for entry in history), sites),
            sections=_SECTIONS,
            **_figures(document, sites),
            **_plots(document, history, sites),
            **_cohort(history, partition, samples, sites),
        )
    )


def _figures(document: Mapping[str, Any], sites: Mapping[str, palette.Colour]) -> dict[str, Any]:
    return {
        "headline": verdict.headline(document),
        "verdict": verdict.sentences(document),
        "tiles": views.headline_figures(document),
        "comparison": views.comparison(document, sites),
        "per_site": views.per_site(document, sites),
        "weights": views.weights(document, sites),
        "forest": forest(document),
        "worth": {task: worth(document, task, sites) for task in TASKS},
        "confusions": {task: views.confusions(document, task, list(sites)) for task in TASKS},
        "retrieval": {p: views.retrieval(document, p, sites) for p in ("unimodal", "paired")},
    }


def _plots(
    document: Mapping[str, Any], history: Sequence[Entry], sites: Mapping[str, palette.Colour]
) -> dict[str, Any]:
    return {
        "by_input": {task: kappa_by_input(document["models"], task, sites) for task in TASKS},
        "worth_drawings": {task: worth_drawing(document, task, sites) for task in TASKS},
        "convergence": [
            drawing
            for drawing in (
                curves.by_model(history, curves.kappa_of, sites, "Validation ICDR kappa, by model"),
                curves.by_model(history, curves.loss_of, sites, "Validation loss, by model"),
                curves.by_site(history, curves.kappa_of, sites, "Federated: validation ICDR kappa, by site"),
                curves.by_site(history, curves.loss_of, sites, "Federated: validation loss, by site"),
            )
            if drawing
        ],
        "loss_terms": curves.loss_terms(history, sites),
        "traffic": [
            drawing for drawing in (curves.traffic(history), curves.seconds(history, sites)) if drawing
        ],
    }


def _cohort(
    history: Sequence[Entry],
    partition: Mapping[str, Any],
    samples: Mapping[str, Sequence[tuple[bytes, str]]],
    sites: Mapping[str, palette.Colour],
) -> dict[str, Any]:
    return {
        "partition_kind": partition.get("kind"),
        "proxy": bool(partition.get("proxy")),
        "partition": cohort.partition_rows(partition, sites),
        "photographs": cohort.photographs(samples),
        "wire": cohort.wire(history, sites),
    }


def _notices(document: Mapping[str, Any], partition: Mapping[str, Any]) -> list[str]:
    """What the reader must know before any number, each once."""
    said = [*((document.get("run") or {}).get("notices") or ()), *(partition.get("notices") or ())]
    return list(dict.fromkeys(said))


def _legend(models: Mapping[str, Any], sites: Mapping[str, palette.Colour]) -> list[tuple[str, str]]:
    names = [name for name in ordered(models) if name != "majority"]
    return [(model_label(name), palette.model_colour(name, sites).css) for name in names]
