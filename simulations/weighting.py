"""`fedfundus-simulate weighting`: how six losses should become one, settled by training with each way over seeds.

The paper learns softmax weights by the same descent as the model, which moves weight to whichever loss is smallest;
the share of each loss by round shows whether it does. A default is chosen by the validation column, not the test ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shared_model.artefact import write_json
from shared_model.config import Config
from shared_model.config.schema import LOSS_NAMES, FixedWeights
from shared_model.files import write_text
from shared_model.progress import RunProgress
from simulations.experiments import Experiment, Result, Study
from simulations.output import resumable_folder
from simulations.tables.cells import Cell, as_models, cell
from simulations.tables.contents import Part
from simulations.tables.write import markdown_table
from simulations.training import FEDERATED

SCHEMA = "fedfundus.weighting/1"
# Adam moves a weight's logit by at most a learning rate a step: 0.23 in 24 rounds of 12 steps at 8e-4, against 2.8 in
# twenty epochs of the paper's 11,386 photographs at 1e-4 and batch 8. A short run shows where a long one ends by this.
FAR = 12.0
FLOOR = 0.1  # of six losses: four tenths are left to move
COLLAPSED = 0.5  # one loss of six holds more than half of all weight
_KAPPA = "quadratic_weighted_kappa"
_UNIMODAL = "retrieval.unimodal.text_to_image"
PARTS = (
    Part("ICDR kappa", f"icdr.{_KAPPA}", share=False),
    Part("ICDR kappa, image only", f"icdr.by_input.image.{_KAPPA}", share=False),
    Part("SDRG kappa", f"sdrg.{_KAPPA}", share=False),
    Part("unimodal R@1, %", f"{_UNIMODAL}.recall_at_1"),
    Part("unimodal R@10, %", f"{_UNIMODAL}.recall_at_10"),
    Part("share of ceiling R@10, %", f"{_UNIMODAL}.recall_at_10", over=f"{_UNIMODAL}.ceiling_at_10"),
)
VALIDATION = Part("validation ICDR kappa", f"icdr.{_KAPPA}", share=False)
Shares = dict[str, float]


def weightings(config: Config) -> dict[str, Config]:
    """The ways compared, each the configuration with other `losses`; `fixed` has the preset's weights."""
    far = f"weights {FAR:g} x as fast"
    ways: dict[str, dict[str, Any]] = {
        "softmax": {"weighting": "softmax", "floor": 0.0},
        f"softmax, {far}": {"weighting": "softmax", "floor": 0.0, "weight_rate": FAR},
        f"softmax, floor {FLOOR}, {far}": {"weighting": "softmax", "floor": FLOOR, "weight_rate": FAR},
        "uncertainty": {"weighting": "uncertainty"},
        f"uncertainty, {far}": {"weighting": "uncertainty", "weight_rate": FAR},
        "fixed, the preset's": {"weighting": "fixed"},
        "fixed, equal": {"weighting": "fixed", "fixed": FixedWeights()},
    }
    return {
        name: config.model_copy(update={"losses": config.losses.model_copy(update=changed)})
        for name, changed in ways.items()
    }


@dataclass
class Weighting:
    """Federated models of every weighting with `seeds` seeds from the configured one on."""

    config: Config
    data: Path
    out: Path
    seeds: int
    progress: RunProgress

    def make(self) -> dict[str, Any]:
        """Train, compare and write weighting.md and weighting.json; the document of the latter."""
        study = Study(self.data, resumable_folder(self.out), self.config, self.progress)
        first = self.config.seed
        wanted = [
            Experiment(name, FEDERATED, config.model_copy(update={"seed": seed}))
            for name, config in weightings(self.config).items()
            for seed in range(first, first + self.seeds)
        ]
        results = study.run(wanted)
        rows = [_row(name, results) for name in weightings(self.config)]
        federation, training = self.config.federation, self.config.training
        document = {
            "schema": SCHEMA,
            "preset": self.config.preset,
            "seeds": self.seeds,
            "rounds": federation.rounds,
            "local_steps": training.local_steps,
            "weightings": rows,
            "failed": {one.label: r.failed for one, r in results.items() if r.failed},
        }
        write_json(self.out / "weighting.json", document)
        write_text(self.out / "weighting.md", as_markdown(document))
        study.finish(results.values())
        return document


def as_markdown(document: Mapping[str, Any]) -> str:
    """Figures by weighting, and the share of each loss in the weight as rounds go by."""
    seeds, rounds = document["seeds"], document["rounds"]
    shown = (
        f"{seeds} seeds, 95 % intervals over them" if seeds > 1 else "one seed, 95 % intervals over patients"
    )
    names = [figure["name"] for figure in document["weightings"][0]["figures"]]
    headings = ["weighting", *names, "grading's share, first -> last round", "largest share at the end"]
    parts = [
        f"Preset {document['preset']}, {rounds} rounds of {document['local_steps']} steps, {shown}.",
        markdown_table(headings, [_texts(row) for row in document["weightings"]]),
        "Share of each loss in the sum of all weights, mean over sites and seeds:",
        markdown_table(
            ["weighting", "round", *LOSS_NAMES],
            [line for row in document["weightings"] for line in _trajectory_texts(row)],
        ),
        *(f"{label} failed: {why}" for label, why in document["failed"].items()),
    ]
    return "\n\n".join(parts) + "\n"


def _row(name: str, results: Mapping[Experiment, Result]) -> dict[str, Any]:
    own = [result for one, result in results.items() if one.name == name and not result.failed]
    cells = [
        cell(VALIDATION, [[_validation(result)] for result in own]) if own else Cell(VALIDATION.name, None)
    ]
    cells += [cell(part, [as_models([r]) for r in own]) if own else Cell(part.name, None) for part in PARTS]
    shares = trajectory([r.document["rounds"] for r in own])
    last = shares[max(shares)] if shares else {}
    largest = max(last, key=lambda loss: last[loss]) if last else ""
    return {
        "weighting": name,
        "figures": [found.document() | {"text": found.text()} for found in cells],
        "shares": {str(number): share for number, share in shares.items()},
        "largest": largest,
        "collapsed": bool(last) and last[largest] > COLLAPSED and largest != "grading",
    }


def trajectory(runs: Sequence[Sequence[Mapping[str, Any]]]) -> dict[int, Shares]:
    """Round -> loss -> its share in the sum of the weights, mean over runs (seeds)."""
    found: dict[int, list[Shares]] = {}
    for rounds in runs:
        for row in rounds:
            weights = row["loss_weights"]
            total = sum(weights.values())
            if total > 0:
                share = {name: weights.get(name, 0.0) / total for name in LOSS_NAMES}
                found.setdefault(int(row["round"]), []).append(share)
    return {
        number: {name: float(np.mean([share[name] for share in shares])) for name in LOSS_NAMES}
        for number, shares in sorted(found.items())
    }


def _validation(result: Result) -> dict[str, Any]:
    """The last round's pooled validation, in the form of figures."""
    rounds = result.document["rounds"]
    return {"figures": rounds[-1]["validation"] if rounds else {}, "majority": {}}


def _texts(row: Mapping[str, Any]) -> list[str]:
    shares = [row["shares"][number] for number in row["shares"]]
    path = f"{shares[0]['grading']:.2f} -> {shares[-1]['grading']:.2f}" if shares else "–"
    largest = row["largest"]
    end = (
        f"{largest} {shares[-1][largest]:.2f}{' (collapsed)' if row['collapsed'] else ''}" if largest else "–"
    )
    return [row["weighting"], *(figure["text"] for figure in row["figures"]), path, end]


def _trajectory_texts(row: Mapping[str, Any]) -> list[list[str]]:
    """The first, the last and three rounds between."""
    numbers = list(row["shares"])
    chosen = sorted({round(step * (len(numbers) - 1) / 4) for step in range(5)}) if numbers else []
    return [
        [
            row["weighting"],
            numbers[index],
            *(f"{row['shares'][numbers[index]][loss]:.2f}" for loss in LOSS_NAMES),
        ]
        for index in chosen
    ]
