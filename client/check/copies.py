"""Photographs that the folder holds twice, and what is wrong about it: another patient, another grade, another side.

A copy within a patient wastes a photograph. A copy under another patient means that one of them is not who the table
says; under another grade, that one of the grades is wrong; on another side of the split, that the test has been seen.
Byte-identical copies are certain; near-duplicates are a judgement and are only ever warned about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import pandas as pd

from client.check.finding import Finding
from shared_model.wording import counted

Groups = Sequence[Sequence[str]]

_ONE_PATIENT = "Keep one of each; copies within a patient only weigh a photograph twice."
_OTHER_PATIENT = (
    "Find out whose photograph it is and correct the other row. "
    "Until then such patients stay on one side of the split."
)
_GRADES = "Let a grader decide; the same photograph cannot have two grades."
_SIDES = (
    "Put these patients on one side (split.csv), or remove the copies: the test would be of seen photographs."
)
_OTHER_PERHAPS = (
    "See whether it is the same photograph, and whose; near-duplicates do not move to one side of the split."
)
_JUDGED = " This is a judgement: look before you remove anything."


class Copies:
    """Turns groups of records that show one photograph into findings.

    table: canonical, with its split where it is known; source, lines: see Loaded.
    """

    def __init__(self, table: pd.DataFrame, source: str, lines: Mapping[str, int]) -> None:
        self._columns = table.set_index("record_id")
        self._source = source
        self._lines = lines

    def identical(self, groups: Groups) -> list[Finding]:
        """Findings of byte-identical photographs; groups: records of each."""
        across = self._differing(groups, "patient_id")
        within = [group for group in groups if group not in across]
        grades = [g for g in groups if self._differ(g, "icdr") or self._differ(g, "sdrg")]
        return self._findings(
            ("identical_same_patient", within, "byte-identical photographs of one patient", _ONE_PATIENT),
            (
                "identical_across_patients",
                across,
                "byte-identical photographs of different patients",
                _OTHER_PATIENT,
            ),
            (
                "identical_conflicting_grades",
                grades,
                "byte-identical photographs with different grades",
                _GRADES,
            ),
            (
                "identical_across_split",
                self._differing(groups, "split"),
                "byte-identical photographs on two sides of the split",
                _SIDES,
            ),
        )

    def near(self, groups: Groups) -> list[Finding]:
        """Findings of photographs that are nearly the same, byte-identical ones not among them."""
        across = self._differing(groups, "patient_id")
        within = [group for group in groups if group not in across]
        return self._findings(
            ("near_duplicate", within, "nearly identical photographs of one patient", _ONE_PATIENT + _JUDGED),
            (
                "near_duplicate_across_patients",
                across,
                "nearly identical photographs of different patients",
                _OTHER_PERHAPS + _JUDGED,
            ),
            (
                "near_duplicate_across_split",
                self._differing(groups, "split"),
                "nearly identical photographs on two sides of the split",
                _SIDES + _JUDGED,
            ),
        )

    def _differing(self, groups: Groups, column: str) -> list[Sequence[str]]:
        return [group for group in groups if self._differ(group, column)]

    def _differ(self, group: Iterable[str], column: str) -> bool:
        return bool(self._columns.loc[list(group), column].nunique() > 1)

    def _findings(self, *kinds: tuple[str, Sequence[Sequence[str]], str, str]) -> list[Finding]:
        return [self._finding(*kind) for kind in kinds if kind[1]]

    def _finding(self, kind: str, groups: Sequence[Sequence[str]], what: str, fix: str) -> Finding:
        rows = tuple(record for group in groups for record in group)
        return Finding(
            kind=kind,
            level="warning",
            what=f"{counted(len(groups), 'group')} of {what} ({counted(len(rows), 'photograph')}).",
            where=self._places(groups) or self._source,
            count=len(groups),
            fix=fix,
            rows=rows,
        )

    def _places(self, groups: Sequence[Sequence[str]]) -> str:
        """`labels.csv: lines 12 and 40; 77 and 78 ... (4 more)`: what belongs together stays together."""
        known: Callable[[Sequence[str]], list[int]] = lambda group: sorted(  # noqa: E731
            self._lines[record] for record in group if record in self._lines
        )
        shown = [" and ".join(map(str, lines)) for lines in sorted(map(known, groups)) if lines]
        if not shown:
            return ""
        more = f" ... ({len(shown) - 6} more)" if len(shown) > 6 else ""
        return f"{self._source}: lines {'; '.join(shown[:6])}{more}"
