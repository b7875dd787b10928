"""From results to tables: which experiments a set of tables needs, and what they say in each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared_model.config.variants import variant_named
from simulations.experiments import Experiment, Result
from simulations.tables.cells import Cell, Model, as_models, cell
from simulations.tables.contents import CONTENTS, Column, Contents
from simulations.tables.table import Row, Table

TRAINED = ("federated", "pooled", "local")
LABELS = ("model", "trained", "weights")
UNTRAINED = "not at all"
MEANINGLESS = "not at all; random weights make this chance"
Results = Mapping[Experiment, Result]


def variants_of(numbers: Sequence[int]) -> list[str]:
    """Every variant that these tables compare figures of, each once, in the order of first use."""
    return list(dict.fromkeys(row for n in numbers if CONTENTS[n].columns for row in CONTENTS[n].rows))


def build(
    contents: Contents, results: Results, lacking: Mapping[str, str], notes: Sequence[str] = ()
) -> Table:
    """The table of these results. lacking: variant -> why it could not be trained at all."""
    rows: list[Row] = []
    for name in contents.rows:
        own = {one: result for one, result in results.items() if one.name == name}
        if name in lacking or not own:
            rows.append(_missing(contents, name, lacking.get(name, "not trained")))
            continue
        for mode in TRAINED:
            of_mode = {one: r for one, r in own.items() if one.mode.partition(":")[0] == mode}
            if of_mode:
                rows.append(_row(contents, name, mode, of_mode))
    headings = (*LABELS, *(column.heading for column in contents.columns))
    said = (*contents.notes, *_guarded(contents, results), *notes)
    return Table(contents.number, contents.title, headings, tuple(rows), said)


def _guarded(contents: Contents, results: Results) -> list[str]:
    """What the leak guard found of the models of a table that shows retrieval."""
    shown = any("retrieval." in part.path for column in contents.columns for part in column.parts)
    guards = {
        one.label: result.document.get("guard") or {}
        for one, result in results.items()
        if shown and one.name in contents.rows and not result.failed
    }
    ran = {label: guard for label, guard in guards.items() if guard.get("ran")}
    if not ran:
        return []
    leaking = [label for label, guard in ran.items() if not guard["passed"]]
    if leaking:
        return [f"THE LEAK GUARD FAILED: unimodal vectors change with their pair in {'; '.join(leaking)}."]
    return [
        f"Leak guard passed in all {len(ran)} models: no unimodal vector depends on what stands beside it."
    ]


def _row(contents: Contents, name: str, mode: str, results: Results) -> Row:
    seeds = sorted({one.seed for one in results})
    by_seed = [as_models([r for one, r in results.items() if one.seed == seed]) for seed in seeds]
    failed = "; ".join(dict.fromkeys(result.failed for result in results.values() if result.failed))
    untrained = all(one.config.federation.rounds == 0 for one in results)
    weights = _weights(results)
    if untrained:
        trained = UNTRAINED if weights == "pretrained" else MEANINGLESS
    else:
        trained = "each site alone, mean" if mode == "local" else mode
    labels = (variant_named(name).title, trained, weights)
    cells = tuple(_cells(column, name, by_seed) for column in contents.columns)
    return Row(labels, cells, failed)


def _cells(column: Column, name: str, by_seed: Sequence[Sequence[Model]]) -> tuple[Cell, ...]:
    if column.printed is not None:
        return _printed(column, name)
    return tuple(cell(part, by_seed) for part in column.parts)


def _printed(column: Column, name: str) -> tuple[Cell, ...]:
    """The paper's percentages as fractions."""
    printed = (column.printed or {}).get(name, ())
    if all(figure is None for figure in printed):
        return ()
    return tuple(Cell("paper", None if f is None else f / 100, share=True, digits=2) for f in printed)


def _missing(contents: Contents, name: str, why: str) -> Row:
    cells = tuple(
        _printed(column, name)
        if column.printed is not None
        else tuple(Cell(part.name, None, share=part.share) for part in column.parts)
        for column in contents.columns
    )
    return Row((variant_named(name).title, "–", "–"), cells, why)


def _weights(results: Results) -> str:
    """Where the encoders began: random weights or pretrained ones."""
    origins = [dict(result.document["origin"]) for result in results.values() if not result.failed]
    origin = origins[0] if origins else {}
    pretrained = [kind for kind, source in origin.items() if source != "random weights"]
    if not pretrained:
        return "random"
    return "pretrained" if len(pretrained) == len(origin) else f"pretrained {', '.join(pretrained)}"
