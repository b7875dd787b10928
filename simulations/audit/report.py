"""audit.md and audit.html: one table an attack, and the pictures beside their originals."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment

from shared_model.config.secure_aggregation import FEWEST_SITES
from simulations.audit.membership import ATTACKS
from simulations.tables.write import markdown_table

Rows = list[list[str]]
MEMBERSHIP = ("view", "reads", *(f"{m}, {a}" for a in ATTACKS for m in ("AUROC", "TPR at 1 % FPR")))
CANARIES = (
    "view",
    "canaries",
    "mode",
    "epsilon promised",
    "refuted up to, each seed",
    "right, each seed",
    "could refute up to",
    "without noise",
)
INVERSION = (
    "view",
    "seen",
    "photograph: PSNR (mean photograph)",
    "SSIM (mean)",
    "form: error (mean form)",
    "words of the note read in",
    "recall (most frequent words)",
    "rank of the rare word",
)
NOTES = {
    "membership": "Of patients, members and others of the same sites; 95 % intervals over patients, over seeds the "
    "mean and the outermost limits. 0.5 is chance. Calibrated: less the loss under a model of the attacker's own "
    "patients.",
    "canaries": "Lower bounds on epsilon at 99.9 % confidence, delta included; several figures are several seeds. "
    "Could refute up to: had every guess been right. Without noise: what the same attack on the same step refutes "
    "when no noise is added, the least of the seeds.",
    "inversion": "PSNR in dB; the mean photograph of the attacker's own patients is what it has without any update. "
    "Form: mean error in standard deviations. Rare word: one that only this patient's note holds.",
}


def markdown(document: Mapping[str, Any]) -> str:
    """Everything but the pictures."""
    parts = ["# Audit", _about(document["run"])]
    for name, heading, headings, rows in tables(document):
        parts += [f"## {heading}", markdown_table(headings, rows), f"*{NOTES[name]}*"]
    return "\n\n".join([*parts, "## Verdict", *_verdict(document["verdict"])]) + "\n"


def page(document: Mapping[str, Any], pictures: Path) -> str:
    """The same as one file with the pictures in it, which stays with the data: photographs of patients are in it."""
    template = (resources.files(__package__) / "audit.html").read_text(encoding="utf-8")
    shown = [
        {
            "caption": f"{row['view']}: {row['what']}",
            "pictures": {name: _inline(pictures / file) for name, file in row["pictures"].items()},
            "figures": _photograph(row),
        }
        for row in document.get("inversion", [])
        if "found" in row["pictures"]
    ]
    tabled = [
        {"heading": heading, "headings": headings, "rows": rows, "note": NOTES[name]}
        for name, heading, headings, rows in tables(document)
    ]
    return (
        Environment(autoescape=True)
        .from_string(template)
        .render(
            about=_about(document["run"]), tables=tabled, shown=shown, verdict=_verdict(document["verdict"])
        )
    )


def tables(document: Mapping[str, Any]) -> list[tuple[str, str, Sequence[str], Rows]]:
    """Attack, heading, column headings and rows, of what was attacked."""
    found: list[tuple[str, str, Sequence[str], Rows]] = []
    if "membership" in document:
        rows = _membership(document["membership"])
        found.append(("membership", "Was this patient trained on?", MEMBERSHIP, rows))
    if "canaries" in document:
        rows = _canaries(document["canaries"])
        found.append(("canaries", "What epsilon do canaries refute?", CANARIES, rows))
    if "inversion" in document:
        rows = [row for one in document["inversion"] for row in _inversion(one)]
        found.append(("inversion", "A photograph, a form and a note out of an update", INVERSION, rows))
    return found


def _membership(seeds: Mapping[str, Any]) -> Rows:
    first = next(iter(seeds.values()))
    rows: Rows = []
    for view, signals in first.items():
        for signal, attacks in signals.items():
            cells = []
            for attack in ATTACKS:
                for measure in ("auroc", "tpr"):
                    known = (
                        [own[view][signal][attack][measure] for own in seeds.values()]
                        if attack in attacks
                        else []
                    )
                    cells.append(_interval(known))
            rows.append([view, signal, *cells])
    return rows


def _interval(found: Sequence[Mapping[str, float]]) -> str:
    if not found:
        return "–"
    mean = sum(one["value"] for one in found) / len(found)
    return f"{mean:.3f} ({min(o['low'] for o in found):.3f} to {max(o['high'] for o in found):.3f})"


def _canaries(seeds: Mapping[str, Any]) -> Rows:
    rows: Rows = []
    for index, row in enumerate(next(iter(seeds.values()))):
        own = [found[index] for found in seeds.values()]
        control = min((one["control"] for one in own if "control" in one), default=None)
        rows.append(
            [
                row["view"],
                row["kind"],
                row["mode"] or "–",
                "–" if row["claim"] is None else f"{row['claim']:g}",
                ", ".join(f"{one['epsilon']:.2f}" for one in own),
                _right(own),
                f"{min(one['ceiling'] for one in own):.2f}",
                "–" if control is None else f"{control:.2f}",
            ]
        )
    return rows


def _right(own: Sequence[Mapping[str, Any]]) -> str:
    """Of guesses in one run, or of those that "in" was said of."""
    if "guesses" in own[0]:
        return ", ".join(str(one["right"]) for one in own) + f" of {own[0]['guesses']}"
    return ", ".join(f"{one['found']} of {one['found'] + one['mistaken']}" for one in own)


def _inversion(row: Mapping[str, Any]) -> Rows:
    psnr, ssim = _photograph(row)
    form = row["form"]
    first = [
        row["view"],
        row["what"],
        psnr,
        ssim,
        f"{form['error']:.2f} ({form['error_mean']:.2f})" if form else "–",
    ]
    notes = [
        [
            how,
            f"{found['recall']:.2f} ({found['recall_frequent']:.2f}) of {found['words']}",
            "–" if found["rare_rank"] is None else f"{found['rare_rank']} of {found['vocabulary']}",
        ]
        for how, found in row["notes"].items()
    ] or [["nothing of it travels", "–", "–"]]
    return [
        (first if number == 0 else [row["view"], "", "", "", ""]) + note for number, note in enumerate(notes)
    ]


def _photograph(row: Mapping[str, Any]) -> tuple[str, str]:
    own, mean = row["photograph"], row["photograph"]["mean"]
    if "psnr" not in own:
        return f"– ({mean['psnr']:.1f})", f"– ({mean['ssim']:.2f})"
    return f"{own['psnr']:.1f} ({mean['psnr']:.1f}), {own['how']}", f"{own['ssim']:.2f} ({mean['ssim']:.2f})"


def _about(run: Mapping[str, Any]) -> str:
    seeds = "one seed" if run["seeds"] == 1 else f"{run['seeds']} seeds"
    said = (
        f"Preset {run['preset']}, {run['rounds']} rounds of {run['local_steps']} steps; differential privacy with "
        f"preset {run['private_preset']}, {run['private_rounds']} rounds, delta {run['delta']:g}, mode {run['mode']}; "
        f"{seeds} from {run['seed']}. The attacker is a coordinator that remembers all it was sent."
    )
    return " ".join([said, *without_secure(run["sites"])])


def without_secure(sites: int) -> list[str]:
    """The sentence that secure aggregation is in no table, where the data are of too few sites for it."""
    if sites >= FEWEST_SITES:
        return []
    return [
        f"Secure aggregation was not attacked: it needs {FEWEST_SITES} sites, and these data make {sites}."
    ]


def _verdict(found: Mapping[str, list[str]]) -> list[str]:
    said = [f"BROKEN: {text}." for text in found["broken"]] + [f"BLIND: {text}." for text in found["blind"]]
    return said or ["No promise was refuted, and every attack succeeds where nothing is protected."]


def _inline(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
