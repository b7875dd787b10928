"""The whole of `fedfundus-site check`: read the table, measure the photographs, judge both, say what to do.

Everything it finds stays in the site's state or in the result; nothing is sent anywhere. Photographs that were
measured before are not read again, so that an interrupted check goes on and a second one is quick.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import pandas as pd

from client.adapters import Loaded, load
from client.check import estimate as estimation
from client.check import verdict as judging
from client.check.contradictions import contradictions
from client.check.copies import Copies
from client.check.duplicates import near
from client.check.finding import Finding, place_in
from client.check.finding_rows import write_findings
from client.check.measure import measure
from client.check.measurement import Measurement
from client.check.notes import find_all, identifier_findings, length_findings, masked_table, note_summary
from client.check.photographs import photograph_findings, unreadable_rows
from client.check.quarantine import quarantined, write_quarantine
from client.check.rows import row_findings
from client.check.summary import Summary, summarise
from client.check.verdict import Verdict, ordered
from client.data.duplicates import identical_photographs
from client.rights.exclude import excluded
from client.site.config import SiteConfig
from client.site.contents import FOUND, MEASUREMENTS, QUARANTINE
from client.site.prepare import keep_back, split_of
from client.site.state import SiteState
from shared_model.config import load_config
from shared_model.errors import DataError
from shared_model.records import TEXT

Progress = Callable[[str, int, int], None]  # what is done, how many of how many

_SHARED = {"text": "notes and findings", "structured": "structured values"}
_DAMAGED = (
    "What earlier checks had measured was damaged; it was removed, and the photographs were measured again."
)
_OUTDATED = (
    "The rows that the last check had set aside were removed from the quarantine: these data are not those."
)


@dataclass(frozen=True)
class CheckResult:
    """Everything check has to say. findings: as they are shown, the gravest first; source: the table's name.

    summary, estimate: None where the data could not be read, or nobody asked. where: the adapter's own words for the
    place, which stay on this screen. notices: sentences for a person, the adapter's first.
    """

    site: str
    source: str
    verdict: Verdict
    findings: list[Finding]
    summary: Summary | None = None
    estimate: estimation.Estimate | None = None
    where: str = ""
    notices: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 ready, 1 usable with warnings, 2 cannot join."""
        return self.verdict.code


def run_check(
    config: SiteConfig, state: SiteState, *, progress: Progress | None = None, estimate: bool = True
) -> CheckResult:
    """Check a site's data. Hold `state.lock("check")` around it.

    progress: called with what is being done, done and total. estimate: whether to time training steps where that
    is not known of this machine. Interrupted by Ctrl-C it keeps what was measured. Raises ConfigError for options
    that do not fit the adapter and RunError where the state cannot be written.
    """
    report = progress or (lambda what, done, total: None)
    try:
        read = load(
            config.folder,
            config.data.adapter,
            options=config.options,
            mask_identifiers=False,
            allow_empty=True,  # then the quarantine says why
        )
    except DataError as error:
        return _unreadable(config, state, error)
    loaded, left_out = _without_excluded(read, state)
    table = loaded.table
    by_path, said = _measured(list(table["image_path"]), config, state, report)
    loaded = replace(loaded, notices=[*loaded.notices, *said])
    measured = {r: by_path[p] for r, p in zip(table["record_id"], table["image_path"], strict=True)}
    write_quarantine(state, quarantined(loaded, unreadable_rows(table, measured)))
    return _judged(config, state, loaded, measured, left_out, report, estimate)


def _measured(
    paths: list[str], config: SiteConfig, state: SiteState, report: Progress
) -> tuple[dict[str, Measurement], list[str]]:
    """The measurements by path, and what a person should know of them."""

    def once() -> dict[str, Measurement]:
        return measure(
            paths,
            processes=config.resources.processes or None,
            journal=state.journal(MEASUREMENTS),
            progress=lambda done, total: report("photographs", done, total),
        )

    try:
        return once(), []
    except DataError:  # of the journal, which only saves reading the photographs again
        state.remove(MEASUREMENTS)
        return once(), [_DAMAGED]


def _judged(
    config: SiteConfig,
    state: SiteState,
    loaded: Loaded,
    measured: Mapping[str, Measurement],
    left_out: int,
    report: Progress,
    estimate: bool,
) -> CheckResult:
    preset = config.resources.preset
    found = find_all(loaded.table["note"])
    findings = [*row_findings(loaded), *photograph_findings(loaded, measured)]
    findings += identifier_findings(loaded, found, masked=config.policy.mask_identifiers)
    lost = unreadable_rows(loaded.table, measured)
    usable = loaded.table[~loaded.table["record_id"].isin(lost)].reset_index(drop=True)
    digests = {record: m.sha256 for record, m in measured.items() if m.sha256 and not m.problem}
    if len(usable):
        usable, torn = _split(usable, config, state, digests)
        findings += [*torn, *contradictions(replace(loaded, table=usable))]
        findings += _copies(usable, loaded, measured, digests, report)
    used = masked_table(usable, found) if config.policy.mask_identifiers else usable
    used = keep_back(used, config.policy.share)
    notes = note_summary(used, load_config(preset).model.text)
    kept_back = tuple(what for name, what in _SHARED.items() if name not in config.policy.share)
    summary = summarise(loaded, used, measured, notes, excluded=left_out, kept_back=kept_back)
    findings += length_findings(loaded, notes)
    findings += judging.shortcomings(summary)
    findings += judging.blocking(summary, config.policy.minimum_cell, findings)
    made = _estimated(config, summary, state, report) if estimate and len(usable) else None
    findings += estimation.findings(made) if made else []
    write_findings(state, findings, loaded)
    return CheckResult(
        config.site.name,
        loaded.source,
        judging.decide(summary, findings),
        [_with_lines(finding, loaded) for finding in ordered(findings)],
        summary,
        made,
        notices=tuple(notice for notice in loaded.notices if notice not in loaded.repeated),
    )


def _estimated(
    config: SiteConfig, summary: Summary, state: SiteState, report: Progress
) -> estimation.Estimate:
    preset = config.resources.preset
    report(f"a few training steps of preset {preset}", 0, 1)
    made = estimation.estimate(preset, summary.sides["validation"][1], state, site=config)
    report(f"a few training steps of preset {preset}", 1, 1)
    return made


def _unreadable(config: SiteConfig, state: SiteState, error: DataError) -> CheckResult:
    finding = Finding(
        "data_unusable",
        "blocks",
        error.what,
        place_in(config.folder, error.where),
        0,
        error.fix.replace(str(config.folder), "the data folder"),
    )
    removed = [state.remove(QUARANTINE), state.remove(FOUND)]
    return CheckResult(
        config.site.name,
        "",
        judging.decide(None, [finding]),
        [finding],
        where=error.where,
        notices=(_OUTDATED,) if any(removed) else (),
    )


def _without_excluded(loaded: Loaded, state: SiteState) -> tuple[Loaded, int]:
    """What was read of patients who are not barred, and how many patients are."""
    barred = excluded(state)
    named = {*loaded.table["patient_id"], *loaded.owners.values()}
    gone = {name for name in named if state.patient(name) in barred} if barred else set()
    theirs = loaded.table["patient_id"].isin(gone)
    records = set(loaded.table.loc[theirs, "record_id"])
    refused = loaded.quarantine["row"].map(loaded.owners).isin(gone)
    kept = replace(
        loaded,
        table=loaded.table[~theirs].reset_index(drop=True),
        quarantine=loaded.quarantine[~refused].reset_index(drop=True),
        unread=loaded.unread[~loaded.unread["record"].isin(records)].reset_index(drop=True),
    )
    return kept, len(gone)


def _split(
    table: pd.DataFrame, config: SiteConfig, state: SiteState, digests: Mapping[str, str]
) -> tuple[pd.DataFrame, list[Finding]]:
    """The table with the sides its patients will have, or the finding that they cannot be drawn."""
    patients = {name: state.patient(name) for name in table["patient_id"].unique()}
    hidden = table.assign(patient_id=table["patient_id"].map(patients).astype(TEXT))
    try:
        return table.assign(split=split_of(hidden, config, digests)["split"]), []
    except DataError as error:
        return table, [Finding("split_contradicts", "blocks", error.what, "split.csv", 0, error.fix)]


def _copies(
    table: pd.DataFrame,
    loaded: Loaded,
    measured: Mapping[str, Measurement],
    digests: Mapping[str, str],
    report: Progress,
) -> list[Finding]:
    copies = Copies(table, loaded.source, loaded.lines)
    records = list(table["record_id"])
    pairs = near(
        [measured[record] for record in records], lambda done, total: report("comparisons", done, total)
    )
    return [
        *copies.identical(identical_photographs(table, digests)),
        *copies.near([(records[pair.first], records[pair.second]) for pair in pairs]),
    ]


def _with_lines(finding: Finding, loaded: Loaded) -> Finding:
    lines = sorted({loaded.lines[record] for record in finding.rows if record in loaded.lines})
    return finding if finding.lines or not lines else replace(finding, lines=tuple(lines))
