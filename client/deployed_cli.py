"""The commands of a deployed site: its two processes, what its operator approves, and how it stands."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from client.services.commands import register as register_services
from shared_model.command_line import errors

if TYPE_CHECKING:
    from client.approval.store import Approvals

SOCKET_VARIABLE, DEFAULT_SOCKET = "FEDFUNDUS_WORKER_SOCKET", Path("/run/fedfundus/worker.sock")
ConfigFile = Annotated[Path, typer.Option("--config", help="The site's configuration.")]
Socket = Annotated[
    Path, typer.Option(envvar=SOCKET_VARIABLE, help="The Unix socket between gateway and worker.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, and nothing else.")]
DEFAULT = Path("site.toml")


def register(app: typer.Typer) -> None:
    """Add the commands to `fedfundus-site`."""
    for command in (worker, gateway, approve, status):
        app.command()(command)
    register_services(app)


def worker(
    config_file: ConfigFile = DEFAULT,
    socket: Socket = DEFAULT_SOCKET,
    socket_group: Annotated[
        str,
        typer.Option(
            help="The group of the gateway's user, which may open the socket; by default nobody else."
        ),
    ] = "",
) -> None:
    """Run the process that holds the data and needs no network, until it is stopped."""
    from client.worker.process import run_worker

    run_worker(config_file, socket, socket_group)


def gateway(
    kit: Annotated[Path, typer.Option(help="This site's kit.")],
    socket: Socket = DEFAULT_SOCKET,
    superlink: Annotated[
        str, typer.Option(help="HOST:PORT in place of the kit's outbound proxy, for trials on one machine.")
    ] = "",
    root_certificates: Annotated[
        Path | None,
        typer.Option(help="Who is believed there; by default the kit's own loopback certificate."),
    ] = None,
    supernode: Annotated[
        bool,
        typer.Option("--supernode", help="Use Flower's own SuperNode, which is slower between messages."),
    ] = False,
) -> None:
    """Run the process that has the network and no data: it carries questions from the coordinator to the worker."""
    from client.gateway.process import run_gateway

    run_gateway(kit, socket, superlink=superlink, root_certificates=root_certificates, supernode=supernode)


def approve(
    plan: Annotated[
        Path | None, typer.Argument(help="A signed run plan; left out, those that the coordinator has sent.")
    ] = None,
    config_file: ConfigFile = DEFAULT,
    kit: Annotated[
        Path | None, typer.Option(help="This site's kit, whose authority is to be believed.")
    ] = None,
    hashes: Annotated[
        list[str] | None, typer.Option("--hash", help="Agree to what has this hash, without being asked.")
    ] = None,
    withdraw: Annotated[
        str,
        typer.Option(help="The hash of a package or plan that may be used no more; a plan that waits, too."),
    ] = "",
) -> None:
    """Agree to the installed package and to a run plan, each by its hash.

    A hash is given by at least 16 of its characters. A plan that was withdrawn is asked about only when it is named.
    Exit code 0: nothing is left waiting. 1: something was not approved.
    """
    from client.approval.approve import Operator, unmatched
    from client.approval.approve import approve as ask
    from client.approval.store import Approvals
    from client.site.opening import open_site

    config, state = open_site(config_file)
    approvals = Approvals(state)
    if withdraw:
        _withdraw(approvals, withdraw)
        return
    confirm = typer.confirm if sys.stdin.isatty() else None
    operator = Operator(tuple(hashes or ()), confirm, print)
    unknown = unmatched(approvals, operator, config.site.name, kit=kit, file=plan)
    done = ask(approvals, operator, config.site.name, kit=kit, file=plan)
    for given in unknown:
        errors.print(f"nothing of this hash waits: {given}", markup=False)
    if not done:
        errors.print("not everything was approved; a script gives --hash for each that it agrees to")
        errors.print("a plan that is not wanted: fedfundus-site approve --withdraw HASH")
    waits = "nothing waits" if done else "something waits for approval"
    print(f"approved; {waits}" if done and not unknown else waits)
    raise typer.Exit(0 if done and not unknown else 1)


def _withdraw(approvals: Approvals, text: str) -> None:
    """Take back what has this hash. Raises typer.Exit(1) where nothing has it, ConfigError where several things do."""
    from client.approval.hashes import fitting, given_hash

    plans = approvals.plans()
    sha256 = fitting(given_hash(text, "--withdraw"), [*approvals.packages(), *plans], "--withdraw")
    waited = sha256 in plans and plans[sha256].waits
    if sha256 is None or not approvals.withdraw(sha256):
        print("nothing of this hash is approved or waits")
        raise typer.Exit(1)
    print(f"{'declined' if waited else 'withdrawn'}: {sha256}")


def status(
    config_file: ConfigFile = DEFAULT,
    socket: Annotated[
        Path | None,
        typer.Option(envvar=SOCKET_VARIABLE, help="The worker's socket; by default that of `start`."),
    ] = None,
    as_json: Json = False,
) -> None:
    """What is approved, what waits, and whether the worker answers.

    Exit code 0: ready. 1: something waits for the operator, or the certificate expires within four weeks. 3: the site
    does not answer; each problem has a number and a fix.
    """
    from client.approval.status import exit_code, lines, problem_lines
    from client.services.services import started
    from client.services.standing import lines as standing_lines
    from client.services.standing import whole
    from client.site.opening import open_site

    config, state = open_site(config_file)
    place = started(config)
    document = whole(config, state, socket or (place.socket if place else DEFAULT_SOCKET))
    told = [*lines(document), *standing_lines(document), *problem_lines(document["problems"])]
    print(json.dumps(document, indent=1) if as_json else "\n".join(told))
    raise typer.Exit(exit_code(document))
