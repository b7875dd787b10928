"""`fedfundus-coordinator start`, and `stop` of what it started."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shared_model.command_line import errors
from shared_model.errors import ConfigError

NAMES = ("superlink", "front")
Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[superlink|front]...", help="By default both.", show_default=False),
]


def register(app: typer.Typer) -> None:
    """Add the commands to `fedfundus-coordinator`."""
    for command in (start, shutdown, nodes):
        app.command()(command)


def start(
    names: Names = None,
    kit: Annotated[Path, typer.Option(help="The coordinator's kit.")] = Path("kit"),
    store: Annotated[Path, typer.Option("--store", help="Where runs and their record lie.")] = Path("runs"),
) -> None:
    """Start SuperLink and the front, and tell SuperLink the kit's sites. Repeated, it starts what does not run."""
    from deploy.services.nginx import by_root
    from server.services.registering import pending_nodes
    from server.services.services import expiry, services_of
    from server.services.services import start as begin

    wanted = _known(names)
    place, opened = store.resolve(), kit.resolve()
    started = begin(opened, place, wanted)
    for name in wanted:
        process = services_of(place).running(name)
        print(
            f"{name}: {'started' if name in started else 'runs'}, process {process.pid if process else '?'}"
        )
    for sentence in pending_nodes(services_of(place).folder):
        errors.print(f"notice: {sentence}", markup=False)
    if said := by_root():
        errors.print(f"notice: {said}", markup=False)
    until = expiry(opened)
    print(f"certificate until {until['expires']} ({until['days_left']} days)")
    print("next: fedfundus-coordinator launch CONFIG --kit KIT, once the sites have started")


def shutdown(
    names: Names = None,
    store: Annotated[Path, typer.Option("--store", help="Where runs and their record lie.")] = Path("runs"),
) -> None:
    """Stop the front and SuperLink. A run that is under way ends with them; resume goes on from there."""
    from server.services.services import services_of

    wanted = _known(names)
    stopped = services_of(store.resolve()).stop([name for name in reversed(NAMES) if name in wanted])
    print(f"stopped: {', '.join(stopped)}" if stopped else "nothing ran")
    if not stopped:
        errors.print("notice: what a service manager started is stopped by that", markup=False)


def nodes(
    kit: Annotated[Path, typer.Option(help="The coordinator's kit.")] = Path("kit"),
    store: Annotated[Path, typer.Option("--store", help="Where runs and their record lie.")] = Path("runs"),
) -> None:
    """Tell a SuperLink that a service manager runs the kit's sites; `start` does it by itself.

    What SuperLink does not take yet is a notice, not a failure: a service manager would end it for that.
    """
    from server.services.registering import pending_nodes
    from server.services.services import register as tell
    from server.services.services import services_of

    place = store.resolve()
    tell(kit.resolve(), place)
    left = pending_nodes(services_of(place).folder)
    for sentence in left:
        errors.print(f"notice: {sentence}", markup=False)
    print("SuperLink was told the sites of the kit" + (", but for what is pending" if left else ""))


def _known(names: list[str] | None) -> tuple[str, ...]:
    unknown = sorted(set(names or ()) - set(NAMES))
    if unknown:
        raise ConfigError(
            f"there is no process {unknown[0]!r:.30}", where="NAME", fix=f"use {' or '.join(NAMES)}"
        )
    return tuple(name for name in NAMES if not names or name in names)
