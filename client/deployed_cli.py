"""The commands of a deployed site: its two processes, what its operator approves, and how it stands."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from client.services.commands import register as register_services
from shared_model.command_line import errors

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
        str, typer.Option(help="The hash of a package or plan that may be used no more.")
    ] = "",
) -> None:
    """Agree to the installed package and to a run plan, each by its hash.

    Exit code 0: nothing is left waiting. 1: something was not approved.
    """
    from client.approval.approve import Operator
    from client.approval.approve import approve as ask
    from client.approval.store import Approvals
    from client.site.opening import open_site

    config, state = open_site(config_file)
    approvals = Approvals(state)
    if withdraw:
        print("withdrawn" if (found := approvals.withdraw(withdraw)) else "nothing of this hash was approved")
        raise typer.Exit(0 if found else 1)
    confirm = typer.confirm if sys.stdin.isatty() else None
    operator = Operator(tuple(hashes or ()), confirm, print)
    done = ask(approvals, operator, config.site.name, kit=kit, file=plan)
    if not done:
        errors.print("not everything was approved; a script gives --hash for each that it agrees to")
    print("approved; nothing waits" if done else "something waits for approval")
    raise typer.Exit(0 if done else 1)


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
    from client.approval.status import exit_code, lines, problem_lines, worker_problems
    from client.approval.status import status as look
    from client.services.services import places
    from client.services.standing import lines as standing_lines
    from client.services.standing import standing
    from client.site.opening import open_site

    config, state = open_site(config_file)
    started = places(config)
    place = socket or (started.socket if started else DEFAULT_SOCKET)
    document = look(config, state, place)
    document |= (stands := standing(config, state))
    document["problems"] = [*worker_problems(document, place), *stands["problems"]]
    told = [*lines(document), *standing_lines(document), *problem_lines(document["problems"])]
    print(json.dumps(document, indent=1) if as_json else "\n".join(told))
    raise typer.Exit(exit_code(document))
