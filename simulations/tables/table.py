"""A finished table: headings, rows of texts and figures, notes; whoever writes it needs to know nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared_model.metrics.summary import NOT_AVAILABLE
from simulations.tables.cells import Cell

ROMAN = ("", "I", "II", "III", "IV", "V", "VI")


@dataclass(frozen=True)
class Row:
    """labels: model, how it was trained, weights; cells: of each column, in parts; missing: why there are none,
    or none of some seeds.
    """

    labels: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]
    missing: str = ""

    def texts(self) -> list[str]:
        """One text a column, labels first."""
        shown = [_joined(cells, self.missing) for cells in self.cells]
        return [*self.labels, *shown]


@dataclass(frozen=True)
class Table:
    """One table of the paper."""

    number: int
    title: str
    headings: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def heading(self) -> str:
        """ "Table II. Grading"."""
        return f"Table {ROMAN[self.number]}. {self.title}"

    def document(self) -> dict[str, Any]:
        """For tables.json."""
        return {
            "table": self.number,
            "title": self.title,
            "headings": list(self.headings),
            "rows": [_row_document(self.headings, row) for row in self.rows],
            "notes": list(self.notes),
            **self.facts,
        }


def _row_document(headings: Sequence[str], row: Row) -> dict[str, Any]:
    columns = headings[len(row.labels) :]
    return {
        "labels": dict(zip(headings, row.labels, strict=False)),
        "missing": row.missing,
        "cells": {
            heading: [cell.document() for cell in cells]
            for heading, cells in zip(columns, row.cells, strict=True)
        },
    }


def _joined(cells: Sequence[Cell], missing: str) -> str:
    """`1.2 / 5.0`; one word where no part is known; a dash where the paper gives nothing. Parts of which some models
    have no figure say so, once where it is the same of all.
    """
    if all(cell.value is None for cell in cells):
        return f"{NOT_AVAILABLE} ({missing})" if missing else NOT_AVAILABLE if cells else "–"
    texts = ["–" if cell.value is None else cell.text() for cell in cells]
    partly = [cell.partly() for cell in cells]
    if len(set(partly)) == 1:
        return " / ".join(texts) + _of(partly[0], missing)
    return " / ".join(text + _of(one, missing) for text, one in zip(texts, partly, strict=True))


def _of(partly: str, why: str) -> str:
    """` (2 of 3 seeds: why)`; nothing where all have the figure."""
    return f" ({partly}: {why})" if partly and why else f" ({partly})" if partly else ""
