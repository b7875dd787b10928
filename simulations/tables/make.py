"""`fedfundus-simulate tables`: train what the asked tables need, once, and write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shared_model.config import Config
from shared_model.config.variants import variant_named
from shared_model.progress import RunProgress
from shared_model.version import PACKAGE_VERSION
from shared_model.wording import counted
from simulations.experiments import Experiment, Result, Study, in_modes
from simulations.output import resumable_folder
from simulations.tables.build import LABELS, Results, build, variants_of
from simulations.tables.cells import Cell
from simulations.tables.contents import CONTENTS, Contents
from simulations.tables.efficiency import PAPER, Efficiency, measured
from simulations.tables.second import SecondData
from simulations.tables.table import Row, Table
from simulations.tables.write import write_tables

SECOND, EFFICIENCY = 5, 6
SIZE_HEADINGS = (
    *LABELS[:1],
    "paper: parameters, memory, time a sample",
    "parameters, millions",
    "trained, millions",
    "memory grading, GiB",
    "memory training at batch 8, GiB",
    "ms a sample, batch 1",
    "ms a sample, batch 8",
)


@dataclass
class Tables:
    """What is asked for. configs: variant -> its configuration, of seed 0; seeds: how many; second: other data."""

    numbers: Sequence[int]
    configs: Mapping[str, Config]
    modes: Sequence[str]
    seeds: int
    data: Path
    out: Path
    progress: RunProgress
    second: Path | None = None

    def make(self) -> list[Table]:
        """Train, measure and write; what an earlier call with the same `out` finished is taken from there."""
        base = next(iter(self.configs.values()))
        work = resumable_folder(self.out)
        study = Study(self.data, work, base, self.progress)
        results, lacking = self._results(study)
        tables = [self._table(CONTENTS[n], results, lacking, work) for n in self.numbers]
        write_tables(self.out, tables, self._facts(base), self._sentences(base, study))
        study.finish(results.values())
        return tables

    def _results(self, study: Study) -> tuple[dict[Experiment, Result], dict[str, str]]:
        wanted: list[Experiment] = []
        lacking: dict[str, str] = {}
        for name in variants_of(self.numbers):
            config = self.configs[name]
            if why := study.lacks(config):
                lacking[name] = why
                continue
            for seed in range(config.seed, config.seed + self.seeds):
                seeded = config.model_copy(update={"seed": seed})
                wanted += in_modes(name, seeded, self.modes, list(study.prepared(seed).sites))
        return (study.run(wanted) if wanted else {}), lacking

    def _table(self, contents: Contents, results: Results, lacking: Mapping[str, str], work: Path) -> Table:
        if contents.number == EFFICIENCY:
            return self._efficiency(contents)
        if contents.number != SECOND:
            return build(contents, results, lacking)
        if self.second is None:
            why = "no second data set was given: --second"
            return build(contents, {}, dict.fromkeys(contents.rows, why))
        second = SecondData(self.second, work, next(iter(self.configs.values())), self.progress)
        read = second.results([(one, r) for one, r in results.items() if one.name in contents.rows])
        note = f"{len(second.table)} records, {len(second.quarantine)} more left out"
        return build(contents, read, lacking, [note, *second.notices])

    def _efficiency(self, contents: Contents) -> Table:
        found = {}
        for number, name in enumerate(contents.rows):
            self.progress.update("measuring size and speed", number, len(contents.rows), unit="models")
            found[name] = measured(self.configs[name])
        self.progress.update("measuring size and speed", len(found), len(found), unit="models")
        rows = tuple(_size_row(name, one) for name, one in found.items())
        threads = next(iter(found.values())).threads
        preset = next(iter(self.configs.values())).preset
        note = (
            f"Preset {preset}, {counted(threads, 'thread')}; the paper's row is of its own full-size model. "
            "Memory is the peak of a process, PyTorch and the libraries included."
        )
        return Table(contents.number, contents.title, SIZE_HEADINGS, rows, (note,))

    def _facts(self, base: Config) -> dict[str, object]:
        return {
            "preset": base.preset,
            "modes": list(self.modes),
            "seeds": self.seeds,
            "rounds": base.federation.rounds,
            "local_steps": base.training.local_steps,
            "partition": base.federation.partition,
            "second": self.second is not None,
            "package_version": PACKAGE_VERSION,
        }

    def _sentences(self, base: Config, study: Study) -> list[str]:
        first = study.prepared(base.seed)
        tested = int((first.table["split"] == "test").sum())
        seeds = (
            f"{self.seeds} seeds, intervals are Student's over them: how much a training seed matters, and nothing of "
            "the patients; a figure without one is the same in every seed"
            if self.seeds > 1
            else "one seed, intervals over patients"
        )
        return [
            f"Preset {base.preset}, {len(first.sites)} sites by {base.federation.partition}, {base.federation.rounds} "
            f"rounds of {base.training.local_steps} steps; {tested} test photographs; {seeds} (95 %).",
            "Recalls, ceilings and accuracies are percentages. The paper's figures are of BRSET and one run.",
        ]


def _size_row(name: str, one: Efficiency) -> Row:
    def plain(label: str, value: float) -> tuple[Cell, ...]:
        return (Cell(label, value),)

    mega, gibi = 1e6, 2**30
    cells = (
        plain("parameters, millions", one.parameters["total"] / mega),
        plain("trained, millions", one.parameters["trainable"] / mega),
        plain("grading, GiB", one.grading_bytes / gibi),
        plain("training, GiB", one.training_bytes / gibi),
        *(plain(f"ms, batch {size}", 1000 * seconds) for size, seconds in one.seconds.items()),
    )
    return Row((variant_named(name).title, PAPER.get(name, "–")), cells)
