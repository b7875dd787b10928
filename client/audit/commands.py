"""`fedfundus-site audit`: what this site answered, refused and agreed to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer


def audit(
    run: Annotated[str, typer.Argument(help="A run's name, to leave out other runs' answers.")] = "",
    config_file: Annotated[Path, typer.Option("--config", help="The site's configuration.")] = Path(
        "site.toml"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """Print the audit log, its chain checked: every answer by its id, every refusal, every approval.

    The coordinator's log (fedfundus-coordinator log) has the same ids of what arrived there.
    """
    from client.audit.log import AuditLog
    from client.site.opening import open_site

    _, state = open_site(config_file)
    lines = list(AuditLog(state).lines())
    for line in lines:
        if not run or line["detail"].get("run", run) == run:
            print(json.dumps(line) if as_json else _shown(line))
    if not as_json:
        print(f"{len(lines)} lines, the last one's digest {lines[-1]['digest']}" if lines else "nothing yet")


def _shown(line: dict[str, Any]) -> str:
    detail = ", ".join(f"{name} {value}" for name, value in line["detail"].items())
    return f"{line['at']}  {line['event']}: {detail}"


def register(app: typer.Typer) -> None:
    """Add the command to `fedfundus-site`."""
    app.command()(audit)
