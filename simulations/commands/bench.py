"""`fedfundus-simulate bench`: every promise about speed and size as a ratio, measured here and now."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from shared_model.command_line import errors
from shared_model.files import require_place, write_text


def bench(
    full: Annotated[
        bool, typer.Option("--full", help="Full-size models and data: about an hour, 8 GB of memory.")
    ] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
    only: Annotated[
        str, typer.Option(help="Some of the benchmarks, with commas between.", show_default="all of them")
    ] = "",
) -> None:
    """Measure what the README promises of speed and size, each against its plain alternative in the same run.

    Exit code 1: a benchmark ended without a figure. A goal that is not reached is told, and is no error.
    """
    from simulations.bench.document import document, show
    from simulations.bench.registry import chosen
    from simulations.bench.running import run_benchmarks

    names = chosen([name.strip() for name in only.split(",") if name.strip()])
    if json_file is not None:
        require_place(json_file)
    found = dict(run_benchmarks(names, full=full, say=lambda line: errors.print(line, markup=False)))
    show(found)
    if json_file is not None:
        write_text(json_file, json.dumps(document(found, full=full), indent=1, allow_nan=False) + "\n")
        print(f"figures: {json_file}")
    if any(measured is None for measured in found.values()):
        raise typer.Exit(1)
