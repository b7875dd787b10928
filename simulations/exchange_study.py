"""`fedfundus-simulate exchange-study`: what packing updates, and adapters in place of trained blocks, cost in kappa.

All ways begin with the same public image encoder, since adapters on random weights have nothing to adapt, and train
the same projections, fusion and heads. Bytes are those that the rounds counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from shared_model.artefact import write_json
from shared_model.config import Config
from shared_model.config.load import changed
from shared_model.files import write_text
from shared_model.progress import RunProgress
from simulations.experiments import Experiment, Result, Study
from simulations.output import resumable_folder
from simulations.prepare import require_data
from simulations.public_start import with_public_start
from simulations.tables.cells import Cell, as_models, cell
from simulations.tables.contents import Part
from simulations.tables.write import markdown_table
from simulations.training import FEDERATED

SCHEMA = "fedfundus.exchange-study/1"
_KAPPA = "quadratic_weighted_kappa"
PARTS = (
    Part("ICDR kappa", f"icdr.{_KAPPA}", share=False),
    Part("ICDR kappa, image only", f"icdr.by_input.image.{_KAPPA}", share=False),
    Part("SDRG kappa", f"sdrg.{_KAPPA}", share=False),
)
_PLAIN = ("exchange.uplink=fp32", "exchange.downlink=fp32")
_INT8 = ("exchange.uplink=int8", "exchange.downlink=int8")
WAYS: dict[str, tuple[str, ...]] = {
    "last blocks, fp32 both ways": _PLAIN,
    "last blocks, int8 up, bf16 down": ("exchange.uplink=int8", "exchange.downlink=bf16"),
    "last blocks, int8 both ways": _INT8,
    "adapters on the last blocks, int8 both ways": ("model.adapters.blocks=last", *_INT8),
    "adapters on all blocks, int8 both ways": ("model.adapters.blocks=all", *_INT8),
}


@dataclass
class ExchangeStudy:
    """Federated models of every way with `seeds` seeds from the configured one on.

    config: of an image encoder made to measure, some blocks of which are frozen.
    """

    config: Config
    data: Path
    out: Path
    seeds: int
    progress: RunProgress

    def make(self) -> dict[str, Any]:
        """Train, compare and write exchange-study.md and .json; the document of the latter."""
        require_data(self.data)
        folder = resumable_folder(self.out)
        begun = with_public_start(self.config, folder / "public-start", self.progress)
        study = Study(self.data, folder, begun, self.progress)
        ways = {name: changed(begun, own) for name, own in WAYS.items()}
        results = study.run(
            [
                Experiment(name, FEDERATED, config.model_copy(update={"seed": seed}))
                for name, config in ways.items()
                for seed in range(begun.seed, begun.seed + self.seeds)
            ]
        )
        document = {
            "schema": SCHEMA,
            "preset": begun.preset,
            "seeds": self.seeds,
            "rounds": begun.federation.rounds,
            "local_steps": begun.training.local_steps,
            "ways": [_row(name, results) for name in ways],
            "failed": {one.label: r.failed for one, r in results.items() if r.failed},
        }
        write_json(self.out / "exchange-study.json", document)
        write_text(self.out / "exchange-study.md", as_markdown(document))
        study.finish(results.values())
        return document


def as_markdown(document: Mapping[str, Any]) -> str:
    """One line a way: kappa over seeds, of each seed, and bytes."""
    seeds = document["seeds"]
    shown = (
        f"{seeds} seeds, 95 % intervals over them" if seeds > 1 else "one seed, 95 % intervals over patients"
    )
    names = [figure["name"] for figure in document["ways"][0]["figures"]]
    rows = [
        [
            row["way"],
            *(figure["text"] for figure in row["figures"]),
            ", ".join(f"{one:.3f}" for one in row["by_seed"]) or "–",
            *(f"{row[way] / 1e3:,.0f}" if row[way] is not None else "–" for way in ("up", "down")),
        ]
        for row in document["ways"]
    ]
    parts = [
        f"Preset {document['preset']}, {document['rounds']} rounds of {document['local_steps']} steps, {shown}.",
        markdown_table(["what is trained and sent", *names, "ICDR kappa by seed", "kB up", "kB down"], rows),
        "Bytes are of a site and a round, the first round left out, in which everybody is sent the whole set.",
        *(f"{label} failed: {why}" for label, why in document["failed"].items()),
    ]
    return "\n\n".join(parts) + "\n"


def _row(name: str, results: Mapping[Experiment, Result]) -> dict[str, Any]:
    own = [result for one, result in results.items() if one.name == name and not result.failed]
    cells = [cell(part, [as_models([r]) for r in own]) if own else Cell(part.name, None) for part in PARTS]
    by_seed = [cell(PARTS[0], [as_models([result])]).value for result in own]
    return {
        "way": name,
        "figures": [found.document() | {"text": found.text()} for found in cells],
        "by_seed": [one for one in by_seed if one is not None],
        "up": _bytes(own, "bytes_up"),
        "down": _bytes(own, "bytes_down"),
    }


def _bytes(results: Sequence[Result], key: str) -> float | None:
    """Mean over seeds, sites and the rounds after the first."""
    found = [row[key] for result in results for row in result.document["rounds"][1:]]
    return fmean(found) if found else None
