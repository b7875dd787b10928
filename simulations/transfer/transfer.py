"""`fedfundus-simulate transfer`: a hospital that never took part, an unseen data set, and the cross-site matrix.

A centre left out has no part in training, validation or the statistics of round 0; the model of the others is read on
that centre's test patients, beside the federation that had it, the centre's own model and the majority.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared_model.artefact import write_json
from shared_model.config import Config
from shared_model.errors import DataError
from shared_model.files import write_text
from shared_model.metrics.document import LOCAL
from shared_model.metrics.summary import figure, percent
from shared_model.progress import RunProgress
from simulations.baselines import POOLED
from simulations.experiments import Experiment, Result, Study
from simulations.output import resumable_folder
from simulations.run import MAJORITY
from simulations.tables.second import SecondData
from simulations.tables.write import markdown_table
from simulations.training import FEDERATED
from simulations.transfer.difference import difference_text, differences
from simulations.transfer.matrix import cross_site_matrix, matrix_table

SCHEMA = "fedfundus.transfer/1"
EACH = "each"
WITHOUT, WITH, OWN = "federated without it", "federated with it", "its own model"


@dataclass
class Transfer:
    """left_out: a centre's name, or "each". second: other data, if any."""

    config: Config
    data: Path
    out: Path
    left_out: str
    progress: RunProgress
    second: Path | None = None

    def make(self) -> dict[str, Any]:
        """Train, read and write transfer.md and transfer.json; the document of the latter."""
        work = resumable_folder(self.out)
        study = Study(self.data, work, self.config, self.progress)
        sites = list(study.prepared(self.config.seed).sites)
        absent = self._absent(sites)
        whole = [Experiment("full", mode, self.config) for mode in _modes(sites)]
        without = [Experiment("full", FEDERATED, self.config, site) for site in absent]
        results = study.run([*whole, *without])
        document = {
            "schema": SCHEMA,
            "seed": self.config.seed,
            "matrix": {
                given: cross_site_matrix(_models(results, whole), sites, given) for given in ("all", "image")
            },
            "left_out": [_left_out(one, results, whole) for one in without],
            "second": self._second(work, whole[:1], results),
            "failed": {one.label: r.failed for one, r in results.items() if r.failed},
        }
        write_json(self.out / "transfer.json", document)
        write_text(self.out / "transfer.md", as_markdown(document))
        study.finish(results.values())
        return document

    def _absent(self, sites: Sequence[str]) -> list[str]:
        """The centres to leave out; DataError where only one centre is there, or the one named is not."""
        if len(sites) < 2:
            raise DataError(
                f"the data have one site only ({', '.join(sites)}): without it nothing is left to train on",
                where="--leave-out",
                fix="give data of several centres (a center column or centers.csv), or another federation.partition",
            )
        if self.left_out != EACH and self.left_out not in sites:
            raise DataError(
                f"there is no site {self.left_out!r} to leave out",
                where="--leave-out",
                fix=f"use one of: {', '.join(sites)}, or {EACH}",
            )
        return list(sites) if self.left_out == EACH else [self.left_out]

    def _second(
        self, work: Path, federated: Sequence[Experiment], results: Mapping[Experiment, Result]
    ) -> Any:
        """The federated model's figures on other data; None without any."""
        if self.second is None:
            return None
        other = SecondData(self.second, work, self.config, self.progress)
        (read,) = other.results([(one, results[one]) for one in federated]).values()
        return {
            "records": len(other.table),
            "left_out": len(other.quarantine),
            "notices": other.notices,
            "figures": read.figures(),
        }


def as_markdown(document: Mapping[str, Any]) -> str:
    """The matrices, the centres left out, and the second data set."""
    parts = []
    for given, named in (("all", "all inputs"), ("image", "the photograph alone")):
        parts.append(f"## ICDR kappa of each model on each site's test patients, {named}")
        parts.append(markdown_table(*matrix_table(document["matrix"][given])))
    parts.append("\\* the site's own model. 95 % intervals are over patients.")
    parts.append("## A site that never took part: ICDR kappa and R@1 on its test patients")
    headings = [
        "left out",
        "test photographs",
        *(f"{name}, kappa" for name in (WITHOUT, WITH, OWN, MAJORITY)),
    ]
    headings += [
        "image only, without it",
        "image only, with it",
        "R@1 without it",
        "R@1 with it",
        "R@1 ceiling",
    ]
    parts.append(markdown_table(headings, [_left_out_texts(entry) for entry in document["left_out"]]))
    parts.append(
        "## The difference in ICDR kappa: the federation without it, minus a model that was trained on it"
    )
    headings = [f"{given}minus {name}" for given in ("", "image only, ") for name in (WITH, OWN)]
    rows = [_difference_texts(entry) for entry in document["left_out"]]
    parts.append(markdown_table(["left out", "test patients", *headings], rows))
    parts.append("Both models on the same patients, who are resampled together for the 95 % interval.")
    parts.append("## Other data, which no training saw")
    parts.append(_second_text(document["second"]))
    parts += [f"{label} failed: {why}" for label, why in document["failed"].items()]
    return "\n\n".join(parts) + "\n"


def _modes(sites: Sequence[str]) -> list[str]:
    return [FEDERATED, POOLED, *(LOCAL + site for site in sites)]


def _models(results: Mapping[Experiment, Result], whole: Sequence[Experiment]) -> dict[str, Any]:
    """As `models` of metrics.json: every model that was trained, and the majority."""
    models = {one.mode: results[one].document["figures"] for one in whole if not results[one].failed}
    known = [results[one] for one in whole if not results[one].failed]
    return models | ({MAJORITY: known[0].document["majority"]} if known else {})


def _left_out(
    one: Experiment, results: Mapping[Experiment, Result], whole: Sequence[Experiment]
) -> dict[str, Any]:
    site = one.left_out
    of_mode = {other.mode: results[other] for other in whole}
    return {
        "site": site,
        WITHOUT: results[one].figures(site),
        WITH: of_mode[FEDERATED].figures(site),
        OWN: of_mode[LOCAL + site].figures(site),
        MAJORITY: results[one].majority(site),
        "differences": differences(
            results[one], {WITH: of_mode[FEDERATED], OWN: of_mode[LOCAL + site]}, site, one.config
        ),
    }


def _left_out_texts(entry: Mapping[str, Any]) -> list[str]:
    def kappa(model: str, given: str = "all") -> str:
        return figure(((entry[model].get("icdr") or {}).get("by_input") or {}).get(given)).text()

    def recall(model: str, name: str = "recall_at_1") -> str:
        found = ((entry[model].get("retrieval") or {}).get("unimodal") or {}).get("text_to_image") or {}
        return percent(found.get(name))

    return [
        entry["site"],
        str((entry[WITHOUT].get("icdr") or {}).get("n", 0)),
        *(kappa(model) for model in (WITHOUT, WITH, OWN, MAJORITY)),
        *(kappa(model, "image") for model in (WITHOUT, WITH)),
        *(recall(model) for model in (WITHOUT, WITH)),
        recall(WITHOUT, "ceiling_at_1"),
    ]


def _difference_texts(entry: Mapping[str, Any]) -> list[str]:
    found = [one for of_input in entry["differences"].values() for one in of_input.values()]
    patients = max((one["patients"] for one in found if one), default=0)
    return [entry["site"], str(patients), *(difference_text(one) for one in found)]


def _second_text(second: Mapping[str, Any] | None) -> str:
    if second is None:
        return "not available (no second data set was given: --second)"
    icdr = second["figures"].get("icdr") or {}
    image = figure((icdr.get("by_input") or {}).get("image")).text()
    found = ((second["figures"].get("retrieval") or {}).get("unimodal") or {}).get("text_to_image") or {}
    said = [
        f"{second['records']} records ({second['left_out']} more left out). ICDR kappa, all inputs: "
        f"{figure(icdr).text()}; image only: {image}. Unimodal R@1: {percent(found.get('recall_at_1'))}, "
        f"ceiling {percent(found.get('ceiling_at_1'))}.",
        *second["notices"],
    ]
    return "\n\n".join(said)
