"""What poisoning did, as a table for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulations.tables.write import markdown_table


def as_markdown(document: Mapping[str, Any]) -> str:
    """The figures of simulations.experiments.poisoning, a row an attack and a column a strategy."""
    rows = document["rows"]
    strategies = list(dict.fromkeys(row["strategy"] for row in rows))
    attacks = list(dict.fromkeys(row["attack"] for row in rows))
    found = {(row["attack"], row["strategy"]): row for row in rows}
    table = [
        [attack, *(_text(found.get((attack, strategy))) for strategy in strategies)] for attack in attacks
    ]
    return (
        "\n\n".join(
            [
                f"{document['sites']} sites, one malicious, {document['rounds']} rounds of {document['local_steps']} "
                f"steps, preset {document['preset']}, seed {document['seed']}. ICDR kappa on "
                f"{document['test_photographs']} test photographs, in brackets its share of the clean "
                f"{document['clean_kappa']:.3f}:",
                markdown_table(["attack", *strategies], table),
                f"Goal: the robust strategies keep {document['goal']:.0%} of it. "
                f"{'Reached.' if document['holds'] else 'NOT reached.'}",
            ]
        )
        + "\n"
    )


def _text(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "–"
    said = f"{row['kappa']:.3f} ({row['share']:.2f})" if row["share"] is not None else f"{row['kappa']:.3f}"
    if row["ended"]:
        said = "the run ended: no model"
    return f"{said}, {row['refused']} refused" if row["refused"] else said
