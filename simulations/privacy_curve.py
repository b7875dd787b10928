"""`fedfundus-simulate privacy-curve`: what a privacy budget costs, as kappa against epsilon.

Beside every budget stand the same model trained without privacy, which has seen as many photographs, and the most
frequent training grade, which has learnt nothing. All differ in nothing else: the same parameters are trained, from
the same beginning. Draws and noise follow from the seed, so that a study can be gone on with; such models protect
nobody and are kept by nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from client.cache.trunk_cache import FOLDER
from shared_model.artefact import write_json
from shared_model.config import Config
from shared_model.config.privacy import LEAST_EPSILON, MOST_EPSILON
from shared_model.errors import ConfigError
from shared_model.files import naming_disk_errors, write_text
from shared_model.progress import RunProgress
from simulations.experiments import Experiment, Result, Study
from simulations.experiments.study import STORE
from simulations.output import resumable_folder
from simulations.privacy_plot import plot
from simulations.private_sites import require_reachable
from simulations.tables.cells import Cell, as_models, cell
from simulations.tables.contents import Part
from simulations.tables.write import markdown_table
from simulations.training import FEDERATED

SCHEMA = "fedfundus.privacy-curve/1"
PLAIN, MAJORITY = "not private", "most frequent grade"
_KAPPA = "quadratic_weighted_kappa"
KAPPA = Part("ICDR kappa", f"icdr.{_KAPPA}", share=False)
PARTS = (
    KAPPA,
    Part("ICDR kappa, image only", f"icdr.by_input.image.{_KAPPA}", share=False),
    Part("SDRG kappa", f"sdrg.{_KAPPA}", share=False),
)
GUESSED = tuple(Part(part.name, part.path, share=False, of="majority") for part in PARTS)


def epsilons_of(text: str) -> list[float]:
    """The budgets in "1,3,8", the smallest first. Raises ConfigError for what is none."""
    try:
        found = sorted({float(part) for part in text.split(",") if part.strip()})
    except ValueError:
        found = []
    if not found or not all(LEAST_EPSILON <= epsilon <= MOST_EPSILON for epsilon in found):
        raise ConfigError(
            f"cannot read the budgets {text!r}",
            where="--epsilons",
            fix=f"give numbers from {LEAST_EPSILON:g} to {MOST_EPSILON:g}: 1,3,8",
        )
    return found


@dataclass
class PrivacyCurve:
    """Federated models at every epsilon, and one without privacy, with `seeds` seeds from the configured one on."""

    config: Config
    data: Path
    out: Path
    epsilons: Sequence[float]
    seeds: int
    progress: RunProgress

    def make(self) -> dict[str, Any]:
        """Train, compare and write privacy-curve.md, .json and .png; the document of the JSON."""
        study = Study(self.data, resumable_folder(self.out), self.config, self.progress)
        prepared = study.prepared(self.config.seed)
        for epsilon in self.epsilons:
            require_reachable(private(self.config, epsilon), prepared.table, prepared.sites)
        first, visits = self.config.seed, self._visits(study)
        _share_features(study.folder)
        ways = {PLAIN: plain(self.config, visits)} | {
            _name(epsilon): private(self.config, epsilon) for epsilon in self.epsilons
        }
        results = study.run(
            [
                Experiment(name, FEDERATED, config.model_copy(update={"seed": seed}))
                for name, config in ways.items()
                for seed in range(first, first + self.seeds)
            ]
        )
        document = self._document(ways, results)
        write_json(self.out / "privacy-curve.json", document)
        write_text(self.out / "privacy-curve.md", as_markdown(document))
        plot(document, self.out / "privacy-curve.png")
        study.finish(results.values())
        return document

    def _visits(self, study: Study) -> float:
        """Photographs that a private step takes of a site on average, over sites."""
        prepared, privacy = study.prepared(self.config.seed), self.config.privacy
        train = prepared.table[prepared.table["split"] == "train"]
        counts = train["patient_id"].value_counts().clip(upper=privacy.records)
        sites = [counts.reindex(own).dropna() for own in prepared.sites.values()]
        found = [min(1.0, privacy.patients / len(own)) * float(own.sum()) for own in sites if len(own)]
        return sum(found) / max(1, len(found))

    def _document(self, ways: Mapping[str, Config], results: Mapping[Experiment, Result]) -> dict[str, Any]:
        figures = {name: _of(name, results) for name in ways}
        rows = [{"model": MAJORITY, "epsilon": None, **_row(figures[PLAIN], GUESSED, None)}]
        reference = cell(KAPPA, [as_models([r]) for r in figures[PLAIN]]) if figures[PLAIN] else None
        for name in ways:
            epsilon = ways[name].privacy.epsilon if ways[name].privacy.enabled else None
            rows.append({"model": name, "epsilon": epsilon, **_row(figures[name], PARTS, reference)})
        privacy, training = self.config.privacy, self.config.training
        known = next((result.document for own in figures.values() for result in own), {})
        return {
            "schema": SCHEMA,
            "preset": self.config.preset,
            "seeds": self.seeds,
            "rounds": self.config.federation.rounds,
            "local_steps": training.local_steps,
            "plain_local_steps": ways[PLAIN].training.local_steps,
            "delta": privacy.delta,
            "mode": privacy.mode,
            "clip": privacy.clip,
            "patients": privacy.patients,
            "parameters": known.get("parameters"),
            "rows": rows,
            "failed": {one.label: r.failed for one, r in results.items() if r.failed},
        }


def private(config: Config, epsilon: float) -> Config:
    """The configuration at a budget; repeatable, and so private to nobody."""
    changed = {"enabled": True, "epsilon": epsilon, "seeded": True}
    return config.model_copy(update={"privacy": config.privacy.model_copy(update=changed)})


def plain(config: Config, visits: float) -> Config:
    """The same without privacy, with as many steps as show it the photographs of the private ones.

    visits: photographs in a private step.
    """
    steps = max(1, round(config.training.local_steps * visits / config.training.batch_size))
    return config.model_copy(
        update={
            "privacy": config.privacy.model_copy(update={"enabled": False}),
            "training": config.training.model_copy(update={"local_steps": steps}),
        }
    )


def as_markdown(document: Mapping[str, Any]) -> str:
    """The table, with what it is of."""
    seeds = document["seeds"]
    shown = (
        f"{seeds} seeds, 95 % intervals over them" if seeds > 1 else "one seed, 95 % intervals over patients"
    )
    parameters = (document["parameters"] or {}).get("trainable")
    trained = f", {parameters:,} parameters trained" if isinstance(parameters, int) else ""
    names = [figure["name"] for figure in document["rows"][0]["figures"]]
    rows = [
        [
            row["model"],
            *(f["text"] for f in row["figures"]),
            "–" if row["share"] is None else f"{row['share']:.2f}",
        ]
        for row in document["rows"]
    ]
    parts = [
        f"Preset {document['preset']}, mode {document['mode']}, delta {document['delta']:g}, {shown}{trained}. "
        f"{document['rounds']} rounds of {document['local_steps']} private steps of {document['patients']} patients on "
        f"average, or of {document['plain_local_steps']} steps without privacy, which see as many photographs.",
        markdown_table(["model", *names, f"share of kappa, {PLAIN}"], rows),
        "Epsilon is of a patient at one site, over the whole run. Noise from a seed: these models protect nobody.",
        *(f"{label} failed: {why}" for label, why in document["failed"].items()),
    ]
    return "\n\n".join(parts) + "\n"


def _share_features(folder: Path) -> None:
    """What stands beside the photographs is linked into every experiment: frozen encoders read each once a seed."""
    with naming_disk_errors(folder):
        (folder / STORE / FOLDER).mkdir(mode=0o700, exist_ok=True)


def _name(epsilon: float) -> str:
    return f"epsilon {epsilon:g}"


def _of(name: str, results: Mapping[Experiment, Result]) -> list[Result]:
    return [result for one, result in results.items() if one.name == name and not result.failed]


def _row(own: Sequence[Result], parts: Sequence[Part], reference: Cell | None) -> dict[str, Any]:
    """Figures over seeds, and the first as a share of the reference's, where there is one that learnt anything."""
    found = [cell(p, [as_models([r]) for r in own]) if own else Cell(p.name, None) for p in parts]
    kappa, whole = found[0].value, reference.value if reference else None
    share = kappa / whole if kappa is not None and whole is not None and whole > 0 else None
    return {"figures": [one.document() | {"text": one.text()} for one in found], "share": share}
