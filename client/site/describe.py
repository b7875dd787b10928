"""What would leave this site, shown before anything does: the answers to `join` and to round 0, and each round's kinds.

The figures come from the very functions that answer the coordinator, so that what is printed is what would be sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from client.site.config import SiteConfig
from client.site.ledger import ledger
from client.site.prepare import image_size, prepare
from client.site.state import SiteState
from client.statistics.answers import Answers, Told
from client.statistics.describe import render
from client.statistics.policy import Policy, require_enough_patients
from shared_model.progress import RunProgress
from shared_model.version import PACKAGE_VERSION

EVERY_ROUND = (
    "the change of the shared parameters (never the decoders or any other local part)",
    "the round's number, the registered count of training photographs, loss weights; names of tensors the site's "
    "records cannot train, mean training losses and seconds, but none of these three in a private run",
    "a fingerprint of whom that number rests on, which only this site can read; the number of rows skipped (from "
    "minimum_cell up), in a private run instead how many steps were taken and what the run has cost so far",
    "in a run with secure aggregation the change and the figures leave masked, and only their sum over sites can be "
    "read; beside them, in the clear, fresh public keys, of which tasks there are validation figures, which parts of "
    "the model the site's records train, and with which sites its validation figures were summed before",
)
VALIDATED = (
    "on validation photographs: how many, the summed loss, a confusion matrix for each of ICDR and SDRG; of a task for "
    "which fewer than minimum_cell ({minimum}) validation patients have a label, none of the three"
)
FINISHED = (
    "on validation photographs: mean losses at a grid of temperatures, and histograms of its probabilities",
    "on test photographs: a confusion matrix and histograms, for each of ICDR and SDRG",
)
NEVER = "photographs, notes, rows, names, ids, dates, paths, pseudonyms; and of an error all but our own first sentence"


@dataclass(frozen=True)
class Description:
    """message: exactly what would be sent, by call; text: the same for a person."""

    message: dict[str, Any]
    text: str


def describe_site(
    config: SiteConfig,
    state: SiteState,
    progress: RunProgress,
    federation: str = "",
    *,
    size: int | None = None,
) -> Description:
    """The answers this site would give now; nothing is stored, sent or charged.

    federation: whose earlier answer counts, where there is one. size: side of the photographs in pixels, by default
    that of the preset the site counts on. Raises DataError for data that cannot be used and
    AnswerRefused where the site would not answer.
    """
    policy = statistics_policy(config)
    size = size or image_size(config)
    prepared = prepare(
        config,
        state,
        size,
        lambda done, total: progress.update("reading photographs", done, total, unit="files"),
    )
    train = prepared.table[prepared.table["split"] == "train"]
    require_enough_patients(train["patient_id"].nunique(), policy)
    known = answers(config, state, federation)
    examples = known.preview_count(prepared.table, policy)
    join = {"site": config.site.name, "version": PACKAGE_VERSION, "examples": examples}
    message: dict[str, Any] = {"join": join} if "join" in config.policy.calls else {}
    told = None
    if "statistics" in config.policy.calls:
        told = known.preview(prepared.table, prepared.images, policy)
        message["statistics"] = told.answer
    return Description(message, _text(config, join, told, size))


def statistics_policy(config: SiteConfig) -> Policy:
    """The rules for statistics in a site.toml."""
    section = config.policy
    return Policy(section.minimum_cell, frozenset(section.statistics), section.statistics_epsilon)


def answers(config: SiteConfig, state: SiteState, federation: str) -> Answers:
    """What `federation` is told by this site, beside everything told before."""
    return Answers(state, federation, state.secret("statistics"), ledger(config, state))


def _text(config: SiteConfig, join: dict[str, Any], told: Told | None, size: int) -> str:
    calls = config.policy.calls
    lines = ["What leaves this site, and to whom: the coordinator of a federation it has joined.", ""]
    if "join" in calls:
        lines += [
            f"When joining: site {join['site']}, package version {join['version']}, "
            f"{join['examples']} training photographs,",
            "  and the names, shapes and fingerprint of the model's tensors, which say nothing of the data.",
            "",
        ]
    if told is not None:
        again = " (the stored answer)" if told.origin == "stored" else ""
        lines += [f"Once, before the first round{again}: statistics of training patients.", ""]
        lines += [f"  {line}".rstrip() for line in render(told.answer).splitlines()]
        lines += [
            "",
            f"  Colour channels are of photographs at {size} pixels; a run may use another size.",
            "",
        ]
    if "train" in calls:
        validated = VALIDATED.format(minimum=config.policy.minimum_cell)
        told_then = [*EVERY_ROUND, validated] if "evaluate" in calls else EVERY_ROUND
        lines += ["Every round:", *(f"  - {item}" for item in told_then), ""]
    if "evaluate" in calls:
        lines += ["Once a run, of its finished model, counts of few patients merged or withheld:"]
        lines += [*(f"  - {item}" for item in FINISHED), ""]
    refused = [call for call in ("join", "statistics", "train", "evaluate") if call not in calls]
    if refused:
        lines += [f"Refused by policy.calls in site.toml: {', '.join(refused)}.", ""]
    return "\n".join([*lines, f"Never: {NEVER}."])
