"""tables.md, tables.json and tables.html, all from the same tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment

from shared_model.artefact import write_json
from shared_model.files import write_text
from simulations.tables.table import Table

SCHEMA = "fedfundus.tables/1"


def write_tables(
    folder: Path, tables: Sequence[Table], facts: Mapping[str, Any], sentences: Sequence[str]
) -> None:
    """Write all three. facts: what was run, for the JSON; sentences: the same, for people."""
    document = {"schema": SCHEMA, "run": dict(facts), "tables": [table.document() for table in tables]}
    write_json(folder / "tables.json", document)
    write_text(folder / "tables.md", markdown(tables, sentences))
    template = (resources.files(__package__) / "tables.html").read_text(encoding="utf-8")
    page = Environment(autoescape=True).from_string(template).render(tables=tables, sentences=sentences)
    write_text(folder / "tables.html", page)


def markdown(tables: Sequence[Table], sentences: Sequence[str] = ()) -> str:
    """All tables, each under its heading with its notes."""
    parts = ["\n".join(sentences)] if sentences else []
    for table in tables:
        parts.append(f"## {table.heading}")
        parts.append(markdown_table(table.headings, [row.texts() for row in table.rows]))
        parts += [f"*{note}*" for note in table.notes]
    return "\n\n".join(parts) + "\n"


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A pipe table; a pipe in a cell is escaped."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines
    )
