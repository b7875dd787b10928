"""`fedfundus-site grade` and `find`: from what the operator gave to files that are whole or absent, and what to print.

Nothing is kept between two runs, neither grades nor vectors: the photographs are read again, so that there is nothing
to expire, to purge or to rid of a patient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from client.site.config import SiteConfig, load_site
from client.use.cases import Cases, cases_of_folder, cases_of_site, cases_of_table
from client.use.finished import Finished
from client.use.grading import grade
from client.use.learnt import learnt_from
from client.use.own_grades import promises_kept, taken_back
from client.use.patients import patients_of
from client.use.results import document, found_document, require_ours, summary, table
from client.use.screen import show_grades, show_hits
from client.use.search import find, note_vector
from shared_model.errors import ConfigError, DataError
from shared_model.files import require_page, require_place, write_text
from shared_model.progress import RunProgress


@dataclass(frozen=True)
class Given:
    """model, and folder or config: a folder of photographs, with an adapter a data folder, or a site.toml."""

    model: Path
    folder: Path | None
    config: Path | None
    adapter: str | None
    processes: int | None

    def cases(self, *, mask_notes: bool) -> tuple[Cases, int | None]:
        """The photographs, and how many processes may read them (None: one a core)."""
        if (self.folder is None) == (self.config is None):
            raise ConfigError(
                "Give a folder or a site.toml, one of the two.",
                where="FOLDER, --config",
                fix="For example: fedfundus-site grade photographs --model run/model",
            )
        if self.config is not None:
            if self.adapter is not None:
                raise ConfigError("site.toml names the adapter.", where="--adapter", fix="Leave it out.")
            site: SiteConfig = load_site(self.config)
            found = cases_of_site(site, mask_notes=mask_notes)
            return found, self.processes or site.resources.processes or None
        assert self.folder is not None
        if self.adapter is None:
            return cases_of_folder(self.folder), self.processes
        return cases_of_table(self.folder, self.adapter, mask_notes=mask_notes), self.processes


@dataclass(frozen=True)
class Done:
    """document: `--json`; show: prints it for a person."""

    document: dict[str, Any]
    show: Callable[[Console], None]
    exit_code: int = 0


def grade_photographs(
    given: Given, out: Path, report: Path | None, progress: RunProgress, *, clear_unproven: bool = False
) -> Done:
    """Grade, and write the table and the page. Raises DataError where nothing could be graded, its table written.

    clear_unproven: let the model clear patients although nothing shows that it finds those who need referral here.
    """
    _require_places(out, report)
    finished = Finished.load(given.model)
    cases, processes = given.cases(mask_notes=finished.artefact.config.losses.mask_notes)
    found = grade(
        finished,
        cases,
        processes=processes,
        progress=lambda done, total: progress.update("grading", done, total, unit="files"),
        checking=lambda done, total: progress.update("looking over photographs", done, total, unit="files"),
    )
    kept = promises_kept(found, finished.tasks[0], learnt_from(cases, found))
    found = taken_back(found, kept, clear_unproven=clear_unproven)
    patients = patients_of(found, finished.tasks[0])
    counts = summary(found, patients)
    if report is not None:
        from client.use.report import grades_page

        page = grades_page(finished, cases, found, patients, counts, kept, out)
        write_text(report, page)
    write_text(out, table(found, cases, finished.tasks))
    if all(case.lost for case in found):
        raise DataError(
            f"None of {len(found)} photographs can be read.",
            where=f"{cases.folder}; {out} has each with its reason",
            fix=f"The first reason is: {found[0].reasons[0].text}.",
        )
    return Done(
        document(finished, cases, found, patients, kept),
        lambda console: show_grades(console, finished, cases, found, counts, kept, out),
        1 if counts["without_a_grade"] else 0,
    )


def _require_places(out: Path, report: Path | None) -> None:
    """Before anything is read: that both can be written, and that neither would take the place of anything else."""
    if report is not None and (
        report.resolve() == out.resolve() or (report.exists() and out.exists() and report.samefile(out))
    ):
        raise ConfigError(
            "The table and the page cannot be the same file.",
            where="--out, --report",
            fix="Give two names, for example --out grades.csv --report grades.html.",
        )
    require_ours(out)
    require_place(out)
    if report is not None:
        require_page(report)


def find_photographs(
    given: Given, note: str, top: int, report: Path | None, progress: RunProgress, *, names: bool
) -> Done:
    """Search, and write the page. names: whether the document may name files and patients."""
    if report is not None:
        require_page(report)
    finished = Finished.load(given.model)
    note_vector(finished.artefact, note)  # what cannot be looked for is said before anything is read
    cases, processes = given.cases(mask_notes=True)
    found = find(
        finished,
        note,
        cases,
        top=top,
        processes=processes,
        progress=lambda done, total: progress.update("reading photographs", done, total, unit="files"),
    )
    if report is not None:
        from client.use.report import hits_page

        write_text(report, hits_page(finished, cases, found))
    return Done(
        found_document(finished, cases, found, names=names),
        lambda console: show_hits(console, finished, cases, found),
    )
