"""Where the pages' templates come from, and what every page of ours has alike: the stylesheet and the colours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from shared_model.metrics.summary import NOT_AVAILABLE
from shared_model.report import palette

HERE = Path(__file__).parent


def environment(*folders: Path) -> Environment:
    """Templates of these folders, then of this one. Whatever comes from data is escaped."""
    return Environment(
        loader=FileSystemLoader([*folders, HERE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def look(*stylesheets: Path) -> dict[str, Any]:
    """What head.html and parts.html ask for; stylesheets are added to the common one."""
    css = "\n".join(path.read_text("utf-8") for path in (HERE / "page.css", *stylesheets))
    return {"css": Markup(css), "colours": palette.ALL, "missing": NOT_AVAILABLE}
