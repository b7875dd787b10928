"""`fedfundus-site start`, `stop`, `logs` and `leave`: a site's processes in its operator's hands."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shared_model.command_line import errors
from shared_model.errors import ConfigError

if TYPE_CHECKING:
    from deploy.services.services import Services

NAMES = ("worker", "proxy", "gateway")
DEFAULT = Path("site.toml")
Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[worker|proxy|gateway]...", help="By default all three.", show_default=False),
]
ConfigFile = Annotated[Path, typer.Option("--config", help="The site's configuration.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `fedfundus-site`."""
    for command in (start, stop, logs, leave):
        app.command()(command)


def start(
    names: Names = None,
    config_file: ConfigFile = DEFAULT,
    kit: Annotated[
        Path | None, typer.Option(help="This site's kit; left out, that of the last start.")
    ] = None,
    socket: Annotated[
        Path | None,
        typer.Option(help="The Unix socket between gateway and worker; by default beside the logs."),
    ] = None,
) -> None:
    """Start worker, outbound proxy and gateway. Repeated, it starts what does not run.

    Exit code 0: they run, and the gateway is connected. 1: they run, and it is not; it goes on trying, and what stands
    in the way is said.
    """
    from client.approval.store import Approvals
    from client.services.services import places, services_of, without_network
    from client.services.services import start as begin
    from client.site.opening import open_site
    from deploy.services.nginx import by_root

    wanted = _known(names)
    config, state = open_site(config_file)
    started, services = begin(config, state, kit, socket, wanted), services_of(config)
    for name in wanted:
        process = services.running(name)
        print(
            f"{name}: {'started' if name in started else 'runs'}, process {process.pid if process else '?'}"
        )
    if "worker" in started and not without_network():
        errors.print(
            "notice: this system does not let the worker's network be taken away; see the service files"
        )
    if said := by_root():
        errors.print(f"notice: {said}", markup=False)
    found = places(config)
    assert found is not None
    if Approvals(state).known_federation() is None:
        print(f"next: fedfundus-site approve --kit {found.kit} --config {config_file}")
    raise typer.Exit(_reached(services, found.kit, "gateway" in wanted))


def stop(names: Names = None, config_file: ConfigFile = DEFAULT) -> None:
    """Stop gateway, proxy and worker. Nothing is lost: what a round has cost is on the disk."""
    from client.services.services import services_of
    from client.site.config import load_site

    wanted = _known(names)
    services = services_of(load_site(config_file))
    stopped = services.stop([name for name in reversed(NAMES) if name in wanted]) if services.known() else []
    print(f"stopped: {', '.join(stopped)}" if stopped else "nothing ran")
    if not stopped:
        errors.print("notice: what a service manager started is stopped by that", markup=False)


def logs(
    names: Names = None,
    config_file: ConfigFile = DEFAULT,
    lines: Annotated[int, typer.Option(min=1, help="How many of each, from the end.")] = 20,
    bundle: Annotated[
        Path | None,
        typer.Option(
            help="Write what may be handed to somebody who helps: one .tar.gz without patient values."
        ),
    ] = None,
) -> None:
    """Print the end of each process's log; or write a bundle of what may be shown to others."""
    from client.services.bundle import write_bundle
    from client.services.logs import last_lines
    from client.site.config import load_site

    config = load_site(config_file)
    if bundle is not None:
        for said in write_bundle(config, bundle, datetime.now(UTC)):
            print(said)
        return
    for name in _known(names):
        for line in last_lines(config, name, lines):
            print(f"{name}: {line}")


def leave(
    config_file: ConfigFile = DEFAULT,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it; without this it is only said what would be done.")
    ] = False,
) -> None:
    """Leave the federation: stop, and take back every approval, so that nothing is answered any more."""
    from client.services.leaving import leave as go
    from client.site.opening import open_site

    config, state = open_site(config_file)
    for line in go(config, state, really=yes):
        print(line)
    if not yes:
        errors.print("nothing was changed; repeat with --yes")
        raise typer.Exit(1)


def _reached(services: Services, kit: Path, gateway: bool) -> int:
    """0 where the coordinator answers and, if the gateway was to be started, has taken it; otherwise what was tried."""
    from client.gateway.reaching import reach
    from client.services.connected import await_connected
    from deploy.errors import Code, DeployError

    try:
        print(f"reached the coordinator at {reach(kit)}")
        if gateway:
            await_connected(services)
            print("the gateway is connected")
    except DeployError as error:
        if error.code is Code.ENDED:
            raise
        errors.print(f"notice: {error}", markup=False)
        return 1
    return 0


def _known(names: list[str] | None) -> tuple[str, ...]:
    unknown = sorted(set(names or ()) - set(NAMES))
    if unknown:
        raise ConfigError(
            f"there is no process {unknown[0]!r:.30}", where="NAME", fix=f"use {', '.join(NAMES)}"
        )
    return tuple(name for name in NAMES if not names or name in names)
