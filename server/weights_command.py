"""The command `fedfundus-coordinator weights`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def weights(
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL...", help="A hub's name of an encoder, or NAME=FOLDER.")
    ],
    kit: Annotated[Path, typer.Option("--kit", help="The coordinator's kit.")],
    out: Annotated[Path, typer.Option("--out", help="The folder to write; must not exist.")],
) -> None:
    """Write pretrained encoders and a signed manifest of them to a folder, for sites that reach no hub."""
    from server.kit import read_kit
    from server.weights import pack, sources

    manifest = pack(sources(models), out.resolve(), read_kit(kit.resolve()))
    for name, files in sorted(manifest.models.items()):
        print(f"{name}: {sum(file.bytes for file in files.values()) / 1e6:,.1f} MB, {len(files)} files")
    print(f"wrote {out}; at a site: fedfundus-site weights import {out.name}")
